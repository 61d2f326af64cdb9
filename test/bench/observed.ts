import type { ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Config } from "../../server/config.ts";
import type { LoadResult } from "./load.ts";

/** What a server tells while it is measured against one that tells nothing. */
export interface Observing {
  name: string;
  config: Partial<Config>;
}

/** Somewhere to send traces: reads them and throws them away. */
export async function openSink(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** From what most have to what few bear. */
export function observings(otlpTracesUrl: string): Observing[] {
  const metricsPort = 0;
  return [
    { name: "observed: nothing, again", config: {} }, // how far two equal servers lie apart
    { name: "observed: metrics", config: { metricsPort } },
    { name: "observed: metrics, 1 % traced", config: { metricsPort, otlpTracesUrl, traceShare: 0.01 } },
    { name: "observed: metrics, all traced", config: { metricsPort, otlpTracesUrl } },
  ];
}

/** A load, and the processor time that the server took for each of its requests. */
export type CpuResult = LoadResult & { cpuUs: number };

/** Runs a load, and answers the processor time that the server took for each request of it, in microseconds. */
export async function cpuPerRequest(server: ChildProcess, load: () => Promise<LoadResult>): Promise<CpuResult> {
  const before = await cpuUs(server);
  const result = await load();
  const requests = Object.values(result.statuses).reduce((sum, count) => sum + count, 0);
  return { ...result, cpuUs: ((await cpuUs(server)) - before) / requests };
}

function cpuUs(server: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    server.once("message", (usage: NodeJS.CpuUsage) => resolve(usage.user + usage.system));
    server.send("cpu");
  });
}
