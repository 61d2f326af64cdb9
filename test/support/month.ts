import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Clients } from "./clients.ts";
import { type Harness, listAllInvoices } from "./harness.ts";
import { seeded } from "./seeded.ts";

// One month of a tenant: what it sells and what was used, the same whenever it is asked for; and what became of it, in a
// form in which two runs can be compared: without ids, and without what depends on who was first.

const MAY = Date.parse("2015-05-01T00:00:00Z");
const MONTH_MS = 31 * 24 * 3_600_000;
const NEXT_MONTH_MS = 3 * 60_000; // usage of June that comes in as early as a clock allows

const metric = (key: string, aggregation: string, more: JsonObject = {}) => ({
  key,
  aggregation: `AGGREGATION_${aggregation}`,
  ...more,
});

/** Every model and every aggregation. `pro` is everybody's plan; `seat`, from June on, is asked for by others, and in advance. */
export const monthCatalog = fromJson(CatalogSchema, {
  metrics: [
    metric("CALLS", "SUM"),
    metric("BYTES", "SUM"),
    metric("PAID", "SUM"),
    metric("JOBS", "COUNT"),
    metric("PEAK", "MAX"),
    metric("USERS", "UNIQUE", { uniqueProperty: "user" }),
  ],
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      minimumAmount: "30",
      prices: [
        { key: "base", flat: { amount: "20.00" } },
        {
          key: "calls",
          metric: "CALLS",
          graduated: {
            tiers: [
              { upTo: "50", unitAmount: "0.011" },
              { unitAmount: "0.0037", flatAmount: "1" },
            ],
          },
        },
        { key: "bytes", metric: "BYTES", package: { size: "30", amount: "0.09" } },
        { key: "paid", metric: "PAID", percentage: { percent: "2.9", fixedAmount: "0.30", freeEvents: 1 } },
        { key: "jobs", metric: "JOBS", perUnit: { unitAmount: "0.333" } },
        { key: "peak", metric: "PEAK", volume: { tiers: [{ upTo: "50", unitAmount: "0.5" }, { unitAmount: "0.4" }] } },
        { key: "users", metric: "USERS", perUnit: { unitAmount: "1.005" }, includedQuantity: "1" },
      ],
    },
    {
      key: "seat",
      currency: "JPY",
      period: "PERIOD_MONTHLY",
      prices: [{ key: "seat", flat: { amount: "999.5", timing: "FLAT_TIMING_IN_ADVANCE" } }],
    },
  ],
  defaultPlan: "pro",
});

/** A batch of usage, as a client sends it. Each event has its key, so that it may be sent again. */
export type UsageBatch = NonNullable<Parameters<Clients["usage"]["trackUsage"]>[0]["events"]>;

/** How much is used in the month. */
export interface MonthSize {
  customers: number;
  batchSize: number;
  /** Batches that come in while the month lasts. */
  batches: number;
  /** Batches that come in after it, while its invoices are drafts. */
  lateBatches: number;
}

/** All that was used, in the order in which it was reported. Who uses something late was known before. */
export function monthUsage({ customers, batchSize, batches, lateBatches }: MonthSize) {
  const below = seeded(20150501);
  const keys = monthCatalog.metrics.map((metric) => metric.key);
  const batchOf = (name: string, nextCustomer: () => string): UsageBatch =>
    Array.from({ length: batchSize }, (_, place) => ({
      idempotencyKey: `${name}-${place}`,
      metric: keys[below(keys.length)] as string,
      customerId: nextCustomer(),
      amount: `${below(100)}.${below(1_000)}`,
      occurredAt: timestampFromDate(new Date(MAY + below(MONTH_MS + (below(20) === 0 ? NEXT_MONTH_MS : 0)))),
      properties: { user: `u${below(4)}` },
    }));
  const anybody = () => `customer-${String(below(customers)).padStart(4, "0")}`;
  const inTime = Array.from({ length: batches }, (_, i) => batchOf(`${i}`, anybody));
  const known = inTime.flat().map((event) => event.customerId as string);
  const late = Array.from({ length: lateBatches }, (_, i) =>
    batchOf(`late-${i}`, () => known[below(known.length)] as string),
  );
  return { inTime, late };
}

/** Sets the tenant's clock, as real time sets a live one's: nothing waits for what falls due on the way. */
export async function setClock({ ownerDb, tenant }: Harness, time: string): Promise<void> {
  const frozen = { clock_frozen_at: new Date(time) };
  await ownerDb.updateTable("tenant").set(frozen).where("tenant_id", "=", tenant.testId).execute();
}

/** All invoices, buckets, values and events, without ids. */
export async function outcomeOf(harness: Harness) {
  const { clients, ownerDb } = harness;
  const invoices = (await listAllInvoices(clients)).map(({ id: _, subscriptionId: __, changes, ...invoice }) => ({
    ...invoice,
    changes: changes.map(({ keyId: _, ...change }) => change),
  }));
  const select = async (text: string) => (await sql.raw(text).execute(ownerDb)).rows;
  return {
    invoices: invoices.sort((a, b) => (a.number < b.number ? -1 : 1)),
    buckets: await select(`select customer_id, metric, hour, event_count, trim_scale(amount_sum) as sum,
      trim_scale(amount_max) as max from usage_bucket order by 1, 2, 3`),
    values: await select("select customer_id, metric, hour, value from usage_value order by 1, 2, 3, 4"),
    // What a draft came to when it was made depends on how much had come in by then.
    events: await select(`select type, occurred_at, data::json -> 'invoice' ->> 'customerId' as customer,
      data::json -> 'invoice' ->> 'kind' as kind, data::json -> 'invoice' ->> 'number' as number,
      case when type <> 'invoice.created' then data::json -> 'invoice' ->> 'totalMinor' end as total
      from outbox_event order by 1, 2, 3, 4`),
    deliveries: await select(`select type, sequence from delivery join outbox_event on outbox_event.id = event_id
      order by sequence`),
  };
}

/** The buckets and values that a plain recount of all events makes. */
export async function recountOf({ ownerDb }: Harness) {
  const hour = "date_trunc('hour', occurred_at, 'UTC') as hour";
  const select = async (text: string) => (await sql.raw(text).execute(ownerDb)).rows;
  return {
    buckets: await select(`select customer_id, metric, ${hour}, count(*) as event_count, trim_scale(sum(amount)) as sum,
      trim_scale(max(amount)) as max from usage_event group by 1, 2, 3 order by 1, 2, 3`),
    values: await select(`select distinct customer_id, metric, ${hour}, properties ->> 'user' as value
      from usage_event where metric = 'USERS' order by 1, 2, 3, 4`),
  };
}
