// Whether the server in this container does its work: what HEALTHCHECK in the Containerfile runs. A process with an API answers
// on the port of that, one without on its health port; over TLS where it has a certificate, whosever name is in that.

import http from "node:http";
import https from "node:https";

const { USAGEFLOW_TLS_CERT_FILE, USAGEFLOW_PORT = "8080", USAGEFLOW_HEALTH_PORT } = process.env;
const { get } = USAGEFLOW_TLS_CERT_FILE ? https : http;

/** The status of `/readyz`; undefined: nobody answers. */
const statusOn = (port) =>
  new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/readyz", rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on("error", () => resolve(undefined));
  });

let status = await statusOn(USAGEFLOW_PORT);
if (status === undefined && USAGEFLOW_HEALTH_PORT) status = await statusOn(USAGEFLOW_HEALTH_PORT);
process.exit(status === 200 ? 0 : 1);
