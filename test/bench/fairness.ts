import { setTimeout as sleep } from "node:timers/promises";
import type { BenchTenant, Latency, LatencyBench } from "./latency.ts";

// What one tenant's noise does to another's deliveries: how long those take beside it, against how long they take alone, in
// turn.

const PER_SECOND = 100;
const WAITING = 10_000;
const RECEIVERS = 500;
const CROWD = 100_000;
const WARM_UP_MS = 1_000;

/** How long the deliveries of a tenant took, alone and beside the noise of another. */
export interface Fairness {
  alone: Latency;
  beside: Latency;
  /** Beside, as a multiple of alone. */
  factor: { p50: number; p99: number };
}

interface Noise {
  /** Prepares it for a tenant of its own, and answers how to let it loose. */
  prepare(bench: LatencyBench, tenant: BenchTenant): Promise<() => Promise<unknown>>;
}

export const noises: Record<string, Noise> = {
  [`a dead endpoint, ${WAITING} waiting`]: {
    async prepare(bench, { tenantId, clients }) {
      const id = await addEndpoint(bench, clients, "/hang");
      await clients.webhook.pauseEndpoint({ id });
      await bench.fanOut(tenantId, WAITING);
      return () => clients.webhook.resumeEndpoint({ id });
    },
  },
  [`${RECEIVERS} dribbling receivers`]: {
    async prepare(bench, { tenantId, clients }) {
      for (let count = 0; count < RECEIVERS; count++) await addEndpoint(bench, clients, "/drip");
      return () => bench.stage(tenantId, WAITING / RECEIVERS);
    },
  },
  [`a tenant with ${CROWD} events`]: {
    async prepare(bench, { tenantId, clients }) {
      await addEndpoint(bench, clients, "/quick");
      await bench.hoard(tenantId, CROWD);
      return () => bench.release(tenantId);
    },
  },
};

/** Measures a tenant alone, and then beside the noise. */
export async function measureFairness(bench: LatencyBench, healthy: BenchTenant, noise: Noise, ms: number) {
  const noisy = await bench.addTenant("Noise");
  const letLoose = await noise.prepare(bench, noisy);
  const alone = await bench.measure(healthy.tenantId, PER_SECOND, ms, "apart");
  await letLoose();
  await sleep(WARM_UP_MS);
  const beside = await bench.measure(healthy.tenantId, PER_SECOND, ms, "apart");
  await end(bench, noisy);
  const factor = { p50: beside.p50Ms / alone.p50Ms, p99: beside.p99Ms / alone.p99Ms };
  return { alone, beside, factor } satisfies Fairness;
}

async function addEndpoint(bench: LatencyBench, clients: BenchTenant["clients"], path: string): Promise<string> {
  const { endpoint } = await clients.webhook.createEndpoint({ url: `${bench.receiverUrl}${path}` });
  return endpoint?.id ?? "";
}

/** Takes the endpoints away, and what waits for them. */
async function end(bench: LatencyBench, { clients }: BenchTenant): Promise<void> {
  const { endpoints } = await clients.webhook.listEndpoints({ pageSize: 1_000 });
  for (const { id } of endpoints) await clients.webhook.deleteEndpoint({ id });
  await bench.quiet();
}
