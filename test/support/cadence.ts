import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { CatalogSchema, type Subscription } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Harness, listAllInvoices, setup } from "./harness.ts";

/** A fee of 20.00, and calls of 0.01. */
const prices = [
  { key: "fee", name: "Fee", flat: { amount: "20.00" } },
  { key: "calls", name: "Calls", metric: "API_CALL", perUnit: { unitAmount: "0.01" } },
];

/** A harness with one plan, `pro`, of this cadence, in a time zone. The clock stands at 2015-05-21T00:00:00Z. */
export async function cadenced(plan: JsonObject, timeZone = "UTC"): Promise<Harness> {
  const harness = await setup();
  await harness.clients.tenant.updateTenant({ timeZone });
  const catalog = fromJson(CatalogSchema, {
    metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }],
    plans: [{ key: "pro", currency: "USD", period: "PERIOD_MONTHLY", prices, ...plan }],
  });
  await harness.clients.pricing.pushCatalog({ catalog });
  return harness;
}

/** Times to start with, as text. */
export interface Starting {
  startAt?: string;
  trialEndsAt?: string;
}

/** Subscribes ann to `pro`. */
export async function start({ clients }: Harness, { startAt, trialEndsAt }: Starting = {}): Promise<Subscription> {
  const at = (text: string) => timestampFromDate(new Date(text));
  const { subscription } = await clients.pricing.startSubscription({
    customerId: "ann",
    plan: "pro",
    ...(startAt ? { startAt: at(startAt) } : {}),
    ...(trialEndsAt ? { trialEndsAt: at(trialEndsAt) } : {}),
  });
  return subscription as Subscription;
}

/** A time as text, without the seconds and minutes that it does not have: `2015-05-21T07`. */
export function short(time: Timestamp | undefined): string {
  if (!time) return "-";
  return timestampDate(time)
    .toISOString()
    .replace(/\.000Z$/, "")
    .replace(/(:00){1,2}$/, "")
    .replace(/T00$/, "");
}

/** When a subscription starts, when its trial ends, its open period, and its end. */
export function timesOf(subscription: Subscription | undefined): string {
  const { startedAt, trialEndsAt, periodStart, periodEnd, endsAt } = subscription as Subscription;
  return [startedAt, trialEndsAt, periodStart, periodEnd, endsAt].map(short).join(" ");
}

/** The invoices of all: period and total. */
export async function invoicesOf({ clients }: Harness): Promise<string[]> {
  const invoices = await listAllInvoices(clients);
  return invoices.map((invoice) =>
    [short(invoice.periodStart), short(invoice.periodEnd), invoice.totalMinor.toString()].join(" "),
  );
}
