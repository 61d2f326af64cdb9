import { type Api, startApi, startHealthPort } from "./api.ts";
import { closeApp, createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { type MetricsPort, startMetricsPort } from "./observe/metrics-port.ts";
import { createReadinessCheck } from "./readiness.ts";
import { type Registration, registerProcess, type ServeRole } from "./server-process.ts";
import { startWorker, type Worker } from "./worker.ts";

/** A running server. `close` drains: calls in flight end, loops end their pass, leases are released. */
export interface Served {
  /** Where the API listens. Undefined for a worker. */
  url: string | undefined;
  /** Where a process without API answers how it does, if it does. */
  healthUrl: string | undefined;
  close(): Promise<void>;
}

/** Starts a server: the API, the workers, or both. Any number may run on one database. */
export async function serve(config: Config, role: ServeRole): Promise<Served> {
  const app = await createApp(config);
  let api: Api | undefined;
  let worker: Worker | undefined;
  let healthPort: Api | undefined;
  let registration: Registration | undefined;
  const readiness = createReadinessCheck(app, () => worker?.report() ?? []);
  let metrics: MetricsPort | undefined;
  const close = async () => {
    readiness.stop(); // first: nobody is to send it anything more
    await Promise.all([api?.close(), worker?.close()]);
    await registration?.close();
    await healthPort?.close();
    await metrics?.close(); // last: a stop can be watched
    await closeApp(app);
  };
  try {
    metrics = await startMetricsPort(app);
    if (role !== "api") worker = startWorker(app);
    if (role !== "worker") api = await startApi(app, readiness);
    else healthPort = await startHealthPort(app, readiness);
    registration = registerProcess(app, readiness, { role, url: api?.url ?? "", loops: () => worker?.report() ?? [] });
  } catch (error) {
    await close();
    throw error;
  }
  app.log.info("server.started", { role, url: api?.url ?? healthPort?.url });
  if (metrics) app.log.info("server.metrics", { url: metrics.url });
  return {
    url: api?.url,
    healthUrl: healthPort?.url,
    async close() {
      await close();
      app.log.info("server.stopped");
    },
  };
}
