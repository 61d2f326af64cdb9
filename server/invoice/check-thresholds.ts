import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { ThresholdReachedSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type InvoiceLine, InvoiceLineKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { decimal, fromMinor } from "../money.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { plansOf } from "../pricing/plan.ts";
import { THRESHOLDS } from "../pricing/spend-threshold.ts";
import type { SubscriptionRow } from "../pricing/subscription.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { takeNews } from "../usage/usage-watch.ts";
import { arrearsDraft, chargesOfDrafts } from "./draft.ts";
import { totalOf } from "./settlement.ts";

// Customers of one transaction: enough to share its cost, few enough to keep it short.
const BATCH_MAX = 500;

/** A threshold that the open period of a subscription has reached. */
interface Reached {
  subscription: SubscriptionRow;
  currency: string;
  threshold: string;
  amountMinor: bigint;
}

/**
 * Looks at the spend thresholds of customers of whose usage there is news, and tells of those that the open period has
 * reached, each once. Answers how many customers were looked at.
 */
export function checkThresholds(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "CHECK_THRESHOLDS", now))) return 0;
    const news = await takeNews(tx, tenantId, THRESHOLDS, BATCH_MAX);
    const subscriptions = await subscriptionsOf(
      tx,
      tenantId,
      news.map((one) => one.customer_id),
    );
    const reached = await reachedBy(tx, tenantId, subscriptions, now);
    await tellOf(tx, tenantId, await noteFirst(tx, tenantId, reached, now), now);
    await settleDue(tx, tenantId, "CHECK_THRESHOLDS", news.length === BATCH_MAX ? now : null);
    return news.length;
  });
}

/** Subscriptions of customers, each with those of its thresholds of which was not told in its open period. */
async function subscriptionsOf(tx: Tx, tenantId: string, customerIds: readonly string[]): Promise<SubscriptionRow[]> {
  const rows = await tx
    .selectFrom("subscription")
    .selectAll()
    .select((query) =>
      query
        .selectFrom("spend_threshold_reached as reached")
        .select(sql<string[] | null>`array_agg(trim_scale(amount)::text)`.as("amounts"))
        .where("reached.tenant_id", "=", tenantId)
        .whereRef("reached.subscription_id", "=", "subscription.id")
        .whereRef("reached.period_start", "=", "subscription.period_start")
        .as("told"),
    )
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`customer_id = any(${customerIds})`)
    .where("due_at", "is not", null)
    .where(sql<boolean>`spend_thresholds <> '{}'`)
    .orderBy("customer_id")
    .orderBy("id")
    .execute();
  return rows
    .map(({ told, ...row }) => ({
      ...row,
      spend_thresholds: row.spend_thresholds.filter((amount) => !told?.includes(amount)),
    }))
    .filter((row) => row.spend_thresholds.length > 0);
}

/** Their thresholds that are reached, the lower ones first. A few statements, however many there are. */
async function reachedBy(
  tx: Tx,
  tenantId: string,
  subscriptions: readonly SubscriptionRow[],
  now: Date,
): Promise<Reached[]> {
  const planOf = await plansOf(tx, tenantId, subscriptions);
  const drafts = subscriptions.map((subscription) => arrearsDraft(subscription, planOf(subscription), now, 0));
  const { lines } = await chargesOfDrafts(tx, tenantId, drafts);
  return subscriptions.flatMap((subscription, i) => {
    const { currency }: Plan = planOf(subscription);
    const amountMinor = totalOf((lines[i] ?? []).filter(isOfUsage));
    const amount = decimal(fromMinor(amountMinor, currency));
    return subscription.spend_thresholds
      .filter((threshold) => amount.gte(decimal(threshold)))
      .map((threshold) => ({ subscription, currency, threshold, amountMinor }));
  });
}

function isOfUsage({ kind, metric }: InvoiceLine): boolean {
  return kind === InvoiceLineKind.PRICE && metric !== "";
}

/** Notes them, and answers those that were not noted before. */
async function noteFirst(tx: Tx, tenantId: string, reached: readonly Reached[], now: Date): Promise<Reached[]> {
  if (reached.length === 0) return [];
  const noted = await sql<{ place: bigint }>`
    with candidate as (
      select subscription_id, period_start, amount, place
      from unnest(
        ${reached.map((one) => one.subscription.id)}::uuid[],
        ${reached.map((one) => one.subscription.period_start)}::timestamptz[],
        ${reached.map((one) => one.threshold)}::numeric[]
      ) with ordinality as row (subscription_id, period_start, amount, place)
    ), noted as (
      insert into spend_threshold_reached (tenant_id, subscription_id, period_start, amount, reached_at)
      select ${tenantId}, subscription_id, period_start, amount, ${now}::timestamptz from candidate
      on conflict on constraint spend_threshold_reached_pkey do nothing
      returning subscription_id, period_start, amount
    )
    select place from candidate join noted using (subscription_id, period_start, amount) order by place`.execute(tx);
  return noted.rows.map(({ place }) => reached[Number(place) - 1] as Reached);
}

async function tellOf(tx: Tx, tenantId: string, reached: readonly Reached[], now: Date): Promise<void> {
  const events = reached.map(({ subscription, currency, threshold, amountMinor }) => ({
    type: "usage.threshold_reached" as const,
    occurredAt: now,
    facts: {
      threshold: create(ThresholdReachedSchema, {
        subscriptionId: formatId("sub", subscription.id),
        customerId: subscription.customer_id,
        plan: subscription.plan_key,
        planVersion: subscription.plan_version,
        periodStart: timestampFromDate(subscription.period_start),
        periodEnd: timestampFromDate(subscription.period_end),
        currency,
        thresholdAmount: threshold,
        amountMinor,
      }),
    },
  }));
  await appendEvents(tx, tenantId, events);
}
