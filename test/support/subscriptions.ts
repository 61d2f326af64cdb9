import { fromJson, fromJsonString } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type Invoice, InvoiceKindSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import {
  type Catalog,
  CatalogSchema,
  type ChangeTiming,
  type Subscription,
} from "../../gen/usageflow/v1/pricing_pb.ts";
import { fromMinor } from "../../server/money.ts";
import { type Harness, listAllInvoices, setup } from "./harness.ts";

// Amounts that May, with its 31 days, divides: 31.00 a month is 1.00 a day.

const fee = (amount: string) => ({ key: "fee", name: "Fee", flat: { amount, timing: "FLAT_TIMING_IN_ADVANCE" } });
const seats = (amount: string, timing: string) => ({
  key: "seats",
  name: "Seats",
  flat: { amount, timing: `FLAT_TIMING_${timing}`, perSeat: true },
});
const calls = (unitAmount: string) => ({ key: "calls", name: "Calls", metric: "API_CALL", perUnit: { unitAmount } });
const monthly = { currency: "USD", period: "PERIOD_MONTHLY" };

/** Plans to move between: fees in advance, in arrears, by seats, and another currency. */
export const plans: Catalog = fromJson(CatalogSchema, {
  metrics: [{ key: "API_CALL", aggregation: "AGGREGATION_SUM" }],
  plans: [
    { key: "starter", ...monthly, prices: [fee("31.00"), calls("0.01")] },
    { key: "team", ...monthly, prices: [fee("62.00"), calls("0.005")] },
    { key: "seats", ...monthly, prices: [seats("31.00", "IN_ADVANCE")] },
    { key: "late_seats", ...monthly, prices: [seats("31.00", "IN_ARREARS"), calls("0.01")] },
    { key: "free", ...monthly, prices: [calls("0")] },
    { key: "euro", ...monthly, currency: "EUR", prices: [fee("31.00")] },
    { key: "yearly", ...monthly, period: "PERIOD_YEARLY", prices: [fee("365.00")] },
    { key: "anniversary", ...monthly, alignment: "ALIGNMENT_ANNIVERSARY", prices: [fee("30.00"), calls("0.01")] },
  ],
});

/** A harness with those plans. The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour. */
export async function offered(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog: plans });
  return harness;
}

/** Starts a subscription, and lets what is due at its start be billed. */
export async function started(
  { clients, drain }: Harness,
  plan: string,
  { customerId = "ann", startAt, quantity = 0 }: { customerId?: string; startAt?: string; quantity?: number } = {},
): Promise<string> {
  const from = startAt ? { startAt: timestampFromDate(new Date(startAt)) } : {};
  const { subscription } = await clients.pricing.startSubscription({ customerId, plan, quantity, ...from });
  await drain();
  return subscription?.id ?? "";
}

/** What a subscription is to become. */
export interface Wish {
  plan?: string;
  planVersion?: number;
  quantity?: number;
  timing?: ChangeTiming;
}

/** Changes a subscription, lets what follows be billed, and answers what it was told, in words. */
export async function change({ clients, drain }: Harness, id: string, wish: Wish) {
  const { subscription } = await clients.pricing.changeSubscription({ id, ...wish });
  await drain();
  return words(subscription);
}

/** The invoices that are final and do not come out the same when they are worked out again: there should be none. */
export async function mismatches({ clients }: Harness): Promise<string[]> {
  const finals = (await listAllInvoices(clients)).filter((invoice) => invoice.number !== "");
  const answers = await Promise.all(finals.map(({ id }) => clients.invoice.verifyInvoice({ id })));
  return answers.filter((answer) => !answer.matches).map((answer) => answer.number);
}

/** What was told of subscriptions, in order: `subscription.changed team 1 x1, ...`. */
export async function told({ ownerDb, tenant }: Harness): Promise<string[]> {
  const events = await ownerDb
    .selectFrom("outbox_event")
    .select(["type", "data"])
    .where("tenant_id", "=", tenant.testId)
    .where("type", "like", "subscription.%")
    .orderBy("id")
    .execute();
  return events.map(({ type, data }) => `${type} ${words(fromJsonString(EventDataSchema, data).subscription)}`);
}

/** A subscription in words: `team 1 x3, 05-21T00:00 to 06-01T00:00`. */
export function words(subscription: Subscription | undefined): string {
  if (!subscription) return "";
  const { plan, planVersion, quantity, periodStart, periodEnd, endsAt } = subscription;
  const ends = endsAt ? `, ends ${time(endsAt)}` : "";
  return `${plan} ${planVersion} x${quantity}, ${time(periodStart)} to ${time(periodEnd)}${ends}`;
}

/** Invoices in the order in which they were made, each with its lines: `in advance team 05-21T00:00 to 06-01T00:00: Fee 22.00`. */
export async function invoiceWords({ clients }: Harness): Promise<string[]> {
  return (await listAllInvoices(clients)).map(brief);
}

function brief({ kind, plan, periodStart, periodEnd, lines, currency, number }: Invoice): string {
  const kindWords = InvoiceKindSchema.value[kind]?.localName.toLowerCase().replace("_", " ");
  const what = lines.map((line) => `${line.description} ${fromMinor(line.amountMinor, currency)}`).join("; ");
  return `${number || "draft"} ${kindWords} ${plan} ${time(periodStart)} to ${time(periodEnd)}: ${what}`;
}

function time(at: Timestamp | undefined): string {
  return at ? timestampDate(at).toISOString().slice(5, 16) : "";
}
