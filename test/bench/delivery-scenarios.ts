import { openDeliveries, type SentDeliveries, type TableTraces } from "./deliveries.ts";
import { type Fairness, measureFairness, noises } from "./fairness.ts";
import { type Latency, openLatency } from "./latency.ts";

// Scenarios of sending webhooks. Ratios and factors are of one run each: the median of the rounds counts.

/** What a run of the bench was asked for. */
export interface Asked {
  /** Part of the names of the scenarios that are run. */
  only: string;
  json: boolean;
  rounds: number;
  /** How long a load goes on. */
  ms: number;
  /** How many deliveries are sent in one go. */
  deliveries: number;
}

const REACH = 0.5;
const LATENCY_REACH_MS = 20;
const FACTOR_REACH = 2;
const PER_SECOND = 200;
const TENANTS = [1, 50];

/** Runs those that were asked for. */
export async function benchDeliveries(adminUrl: string, log: number, asked: Asked): Promise<void> {
  const wanted = (names: readonly string[]) => names.filter((name) => name.includes(asked.only));
  const sending = new Map(TENANTS.map((tenants) => [`deliveries, ${tenants} tenants`, tenants]));
  if (wanted([...sending.keys()]).length > 0) {
    const { send, tables, close } = await openDeliveries(adminUrl, log);
    try {
      for (const name of wanted([...sending.keys()])) {
        const runs = await rounds(asked, () => send(sending.get(name) as number, asked.deliveries));
        printSent(asked, name, runs);
        printTables(asked, `tables after ${name}`, await tables());
      }
    } finally {
      close();
    }
  }
  const places = new Map([
    ["commit to receiver, api and worker in one process", "together" as const],
    ["commit to receiver, api and worker apart", "apart" as const],
  ]);
  const fair = new Map(Object.entries(noises).map(([name, noise]) => [`fairness: ${name}`, noise]));
  if (wanted([...places.keys(), ...fair.keys()]).length === 0) return;
  const bench = await openLatency(adminUrl, log);
  try {
    const tenant = await bench.addTenant("Healthy");
    await tenant.clients.webhook.createEndpoint({ url: `${bench.receiverUrl}/timed` });
    await bench.measure(tenant.tenantId, PER_SECOND, asked.ms / 2, "apart"); // connections and code are warm
    for (const name of wanted([...places.keys()])) {
      const place = places.get(name) ?? "apart";
      printLatency(asked, name, await rounds(asked, () => bench.measure(tenant.tenantId, PER_SECOND, asked.ms, place)));
    }
    for (const [name, noise] of fair) {
      if (!name.includes(asked.only)) continue;
      printFairness(asked, name, await rounds(asked, () => measureFairness(bench, tenant, noise, asked.ms)));
    }
  } finally {
    await bench.close();
  }
}

async function rounds<Result>({ rounds: count }: Asked, run: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let round = 0; round < count; round++) results.push(await run());
  return results;
}

/** The run in the middle, by a number of it. */
function median<Run>(runs: readonly Run[], numberOf: (run: Run) => number): Run {
  return runs.toSorted((a, b) => numberOf(a) - numberOf(b))[Math.floor(runs.length / 2)] as Run;
}

function print({ json }: Asked, facts: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(facts)}\n` : text);
}

function printSent(asked: Asked, scenario: string, runs: readonly SentDeliveries[]): void {
  const ratioOf = ({ rate, floorRate }: SentDeliveries) => rate / floorRate;
  const run = median(runs, ratioOf);
  const ratios = runs.map(ratioOf).sort((a, b) => a - b);
  print(
    asked,
    { scenario, ratio: ratioOf(run), reach: REACH, ratios, ...run },
    `${scenario.padEnd(28)} ratio ${ratioOf(run).toFixed(2)} (reach ${REACH}; ${listed(ratios)})\n` +
      `  ours  ${run.rate.toFixed(0).padStart(6)}/s  sends of each ${run.sendsEach.toFixed(4)}\n` +
      `  floor ${run.floorRate.toFixed(0).padStart(6)}/s\n`,
  );
}

function printTables(asked: Asked, scenario: string, tables: readonly TableTraces[]): void {
  const lines = tables.map(({ table, rows, deadRows, updates, hotShare, megabytes }) => {
    const share = `${(hotShare * 100).toFixed(1)} % of ${updates} updates in place`;
    return `  ${table.padEnd(18)} ${String(rows).padStart(9)} rows  ${String(deadRows).padStart(7)} dead  ${megabytes.toFixed(0).padStart(5)} MB  ${share}\n`;
  });
  print(asked, { scenario, tables }, `${scenario}\n${lines.join("")}`);
}

function printLatency(asked: Asked, scenario: string, runs: readonly Latency[]): void {
  const run = median(runs, ({ p50Ms }) => p50Ms);
  const p50s = runs.map(({ p50Ms }) => p50Ms);
  print(
    asked,
    { scenario, perSecond: PER_SECOND, reachMs: LATENCY_REACH_MS, p50s, ...run },
    `${scenario}, ${PER_SECOND} events/s (reach p50 ${LATENCY_REACH_MS} ms; ${listed(p50s)})\n  ${times(run)}\n`,
  );
}

function printFairness(asked: Asked, scenario: string, runs: readonly Fairness[]): void {
  const run = median(runs, ({ factor }) => factor.p50);
  const { alone, beside, factor } = run;
  const factors = runs.map((one) => one.factor);
  const each = factors.map(({ p50, p99 }) => `${p50.toFixed(2)}/${p99.toFixed(2)}`).join(", ");
  print(
    asked,
    { scenario, reach: FACTOR_REACH, factors, ...run },
    `${scenario}: factor p50 ${factor.p50.toFixed(2)}, p99 ${factor.p99.toFixed(2)} (reach ${FACTOR_REACH}; ${each})\n` +
      `  alone  ${times(alone)}\n  beside ${times(beside)}\n`,
  );
}

function times({ count, p50Ms, p99Ms, maxMs }: Latency): string {
  return `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms  at most ${maxMs.toFixed(1)} ms  of ${count}`;
}

function listed(numbers: readonly number[]): string {
  return numbers.map((one) => one.toFixed(2)).join(", ");
}
