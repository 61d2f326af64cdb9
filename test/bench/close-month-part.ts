import { fromJson } from "@bufbuild/protobuf";
import pg from "pg";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { startApi } from "../../server/api.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { type Config, defaults } from "../../server/config.ts";
import { closePeriods } from "../../server/invoice/close-periods.ts";
import { finalizeInvoices } from "../../server/invoice/finalize-invoices.ts";
import { drain } from "../../server/worker.ts";
import { createClients } from "../support/clients.ts";

// One part of closing a month, in a process of its own, so that its memory is its own too: `prepare` publishes what is
// sold, folds what was used and subscribes everybody; `floor` reads the buckets; `close` makes the invoices.

/** What a part is told. */
export interface PartTask {
  part: "prepare" | "floor" | "close";
  ownerUrl: string;
  databaseUrl: string;
  workerDatabaseUrl: string;
  /** Master key and pepper, base64. */
  key: string;
  /** API key of the tenant. */
  secret: string;
  tenantId: string;
  customers: number;
}

/** What a part answers. */
export interface PartDone {
  ms: number;
  /** The most memory that the process held. */
  peakMb: number;
}

const metric = (key: string) => ({ key, aggregation: "AGGREGATION_SUM" });
const catalog = fromJson(CatalogSchema, {
  metrics: ["CALLS", "BYTES", "JOBS"].map(metric),
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [
        {
          key: "calls",
          metric: "CALLS",
          graduated: { tiers: [{ upTo: "100", unitAmount: "0.05" }, { unitAmount: "0.0333" }] },
        },
        { key: "bytes", metric: "BYTES", package: { size: "30", amount: "0.09" } },
        { key: "jobs", metric: "JOBS", perUnit: { unitAmount: "0.333" } },
      ],
    },
  ],
  defaultPlan: "pro",
});

const task = JSON.parse(process.argv[2] as string) as PartTask;
const key = Buffer.from(task.key, "base64");
const config: Config = {
  ...defaults,
  databaseUrl: task.databaseUrl,
  workerDatabaseUrl: task.workerDatabaseUrl,
  port: 0,
  logLevel: "error",
  masterKey: key,
  keyPepper: key,
};

async function prepare(): Promise<void> {
  const app = await createApp(config);
  const api = await startApi(app);
  await createClients(api.url, task.secret).pricing.pushCatalog({ catalog });
  await api.close();
  await drain(app);
  await closeApp(app);
}

/** Each customer's usage of the month, one statement after the other: less than that, nobody can read to bill it. */
async function floor(): Promise<number> {
  const client = new pg.Client(task.ownerUrl);
  await client.connect();
  const text = `select metric, sum(amount_sum) from usage_bucket
    where tenant_id = $1 and customer_id = $2 and hour >= '2015-05-01T00:00:00Z' and hour < '2015-06-01T00:00:00Z'
    group by metric`;
  const { rows } = await client.query("select id from customer where tenant_id = $1 order by id", [task.tenantId]);
  const began = performance.now();
  for (const { id } of rows) {
    const { rowCount } = await client.query({ name: "floor", text, values: [task.tenantId, id] });
    if (rowCount !== catalog.metrics.length) throw new Error("a customer without usage");
  }
  const ms = performance.now() - began;
  await client.end();
  return ms;
}

/** Every period is closed and every invoice final: drafts, documents, lines, numbers and events are in the database. */
async function close(): Promise<number> {
  const app = await createApp(config);
  const began = performance.now();
  let final = 0;
  for (let done = 1; done > 0; ) {
    const finalized = await finalizeInvoices(app, task.tenantId);
    done = (await closePeriods(app, task.tenantId)) + finalized;
    final += finalized;
  }
  const ms = performance.now() - began;
  await closeApp(app);
  if (final !== task.customers) throw new Error(`${final} invoices of ${task.customers}`);
  return ms;
}

const ms = task.part === "floor" ? await floor() : task.part === "close" ? await close() : void (await prepare());
process.send?.({ ms: ms ?? 0, peakMb: process.resourceUsage().maxRSS / 1_024 } satisfies PartDone);
process.disconnect?.();
