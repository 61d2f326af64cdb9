import { type Api, startApi } from "./api.ts";
import { closeApp, createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { type MetricsPort, startMetricsPort } from "./observe/metrics-port.ts";
import { startWorker, type Worker } from "./worker.ts";

export type ServeRole = "api" | "worker" | "all";

/** A running server. `close` drains: calls in flight end, loops end their pass, leases are released. */
export interface Served {
  /** Where the API listens. Undefined for a worker. */
  url: string | undefined;
  close(): Promise<void>;
}

/** Starts a server: the API, the workers, or both. Any number may run on one database. */
export async function serve(config: Config, role: ServeRole): Promise<Served> {
  const app = await createApp(config);
  let api: Api | undefined;
  let worker: Worker | undefined;
  let metrics: MetricsPort | undefined;
  const close = async () => {
    await Promise.all([api?.close(), worker?.close()]);
    await metrics?.close(); // last: a stop can be watched
    await closeApp(app);
  };
  try {
    metrics = await startMetricsPort(app);
    if (role !== "worker") api = await startApi(app);
    if (role !== "api") worker = startWorker(app);
  } catch (error) {
    await close();
    throw error;
  }
  app.log.info("server.started", { role, url: api?.url });
  if (metrics) app.log.info("server.metrics", { url: metrics.url });
  return {
    url: api?.url,
    async close() {
      await close();
      app.log.info("server.stopped");
    },
  };
}
