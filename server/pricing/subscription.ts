import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { Alignment, type Plan, type Subscription, SubscriptionSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type ListSubscriptionsRequest,
  ListSubscriptionsResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { plusDays } from "../calendar.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Subscription as SubscriptionTable } from "../db/tables.ts";
import { formatId, newId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { type BillingPeriod, type Cadence, periodAt } from "./billing-period.ts";
import { billsInAdvance, type PlanRef } from "./plan.ts";

// Billing moves a subscription's open period along, one period of its cadence after the other:
//
//   trial ──nothing falls due──▶ the first period
//   period [start, end) ──fees in advance, at start──▶ the same, billed in advance ──close, at end──▶ the next period
//                                                                                └──when ends_at is reached──▶ over
//
// `due_at` says when the next of these is to happen; it is null when the subscription is over and all is invoiced. Another
// plan, or an end, may come at once: then the open period is closed where it is cut, and both sides of the cut are parts of
// the full period around them.

/** A customer on a plan version: a row of `subscription`. */
export type SubscriptionRow = Selectable<SubscriptionTable>;

/** The subscription as callers see it. */
export function toSubscription(row: SubscriptionRow): Subscription {
  return create(SubscriptionSchema, {
    id: formatId("sub", row.id),
    customerId: row.customer_id,
    plan: row.plan_key,
    planVersion: row.plan_version,
    startedAt: timestampFromDate(row.started_at),
    ...(row.ends_at ? { endsAt: timestampFromDate(row.ends_at) } : {}),
    periodStart: timestampFromDate(row.period_start),
    periodEnd: timestampFromDate(row.period_end),
    ...(row.anchor ? { anchor: timestampFromDate(row.anchor) } : {}),
    timeZone: row.time_zone,
    ...(row.trial_ends_at ? { trialEndsAt: timestampFromDate(row.trial_ends_at) } : {}),
    quantity: row.quantity,
    nextPlan: row.next_plan_key ?? "",
    nextPlanVersion: row.next_plan_version ?? 0,
    nextQuantity: row.next_quantity ?? 0,
    spendThresholds: row.spend_thresholds,
  });
}

/** How a subscription begins. */
export interface Beginning {
  startedAt: Date;
  /** Null: there is no trial. */
  trialEndsAt: Date | null;
  /** The tenant's: later changes of that are for other subscriptions. */
  timeZone: string;
  /** Seats. Absent: one. */
  quantity?: number;
}

/**
 * A subscription of which nothing is billed. Its first period begins where its trial ends, so billing looks at nothing
 * before; and it ends with the one of its cadence that it begins in.
 */
export function newSubscription(
  tenantId: string,
  customerId: string,
  plan: Plan,
  { startedAt, trialEndsAt, timeZone, quantity = 1 }: Beginning,
): SubscriptionRow {
  const billedFrom = trialEndsAt ?? startedAt;
  const cut = { started_at: startedAt, time_zone: timeZone, anchor: isAnniversary(plan) ? billedFrom : null };
  const full = periodAt(cadenceOf(cut, plan), billedFrom);
  const period = { start: billedFrom, end: full.end };
  return {
    ...cut,
    tenant_id: tenantId,
    id: newId(),
    customer_id: customerId,
    plan_key: plan.key,
    plan_version: plan.version,
    trial_ends_at: trialEndsAt,
    ends_at: null,
    period_start: period.start,
    period_end: period.end,
    full_period_start: full.start,
    full_period_end: full.end,
    quantity,
    next_plan_key: null,
    next_plan_version: null,
    next_quantity: null,
    advance_billed_until: period.start,
    due_at: periodDueAt(plan, period),
    spend_thresholds: [],
  };
}

/** Where the trial of a plan ends that begins at an instant. Null: the plan has none. */
export function trialEndOf({ trialDays }: Plan, startedAt: Date, timeZone: string): Date | null {
  return trialDays > 0 ? plusDays(startedAt, trialDays, timeZone) : null;
}

/** Whether a plan's periods are counted from the start of a subscription, and not taken from the calendar. */
export function isAnniversary({ alignment }: Plan): boolean {
  return alignment === Alignment.ANNIVERSARY;
}

/** How the time of a subscription is cut into periods while it is on a plan. */
export function cadenceOf(
  { time_zone, anchor, started_at }: Pick<SubscriptionRow, "time_zone" | "anchor" | "started_at">,
  plan: Plan,
): Cadence {
  return { period: plan.period, timeZone: time_zone, anchor: isAnniversary(plan) ? (anchor ?? started_at) : null };
}

/**
 * A subscription that begins a period at `at`, on `to`, of which nothing is billed. The period ends with the full one that
 * it lies in. Where `to` cuts time as the plan before did, its boundaries stay; else anniversaries are counted from here.
 */
export function beginPeriod(subscription: SubscriptionRow, from: Plan, to: Plan, at: Date): SubscriptionRow {
  const alike = from.period === to.period && isAnniversary(from) === isAnniversary(to);
  const anchor = isAnniversary(to) ? (alike ? subscription.anchor : at) : null;
  const full = periodAt(cadenceOf({ ...subscription, anchor }, to), at);
  return {
    ...subscription,
    anchor,
    plan_key: to.key,
    plan_version: to.version,
    period_start: at,
    period_end: full.end,
    full_period_start: full.start,
    full_period_end: full.end,
    advance_billed_until: at,
    due_at: periodDueAt(to, { start: at, end: full.end }),
  };
}

/** The plan version that it moves to when the open period ends; null when it stays. */
export function nextPlanOf({ next_plan_key, next_plan_version }: SubscriptionRow): PlanRef | null {
  return next_plan_key && next_plan_version ? { plan_key: next_plan_key, plan_version: next_plan_version } : null;
}

/** When billing must look at a period that it has not yet looked at: for fees in advance at its start, else at its end. */
export function periodDueAt(plan: Plan, period: BillingPeriod): Date {
  return billsInAdvance(plan) ? period.start : period.end;
}

/** One subscription, or not-found. `forUpdate` locks its row: what follows in the transaction is true of it. */
export async function getSubscription(
  tx: Tx,
  tenantId: string,
  id: string,
  { forUpdate = false } = {},
): Promise<SubscriptionRow> {
  const uuid = parseId("sub", id);
  const row =
    uuid &&
    (await subscriptions(tx, tenantId)
      .where("id", "=", uuid)
      .$if(forUpdate, (query) => query.forUpdate())
      .executeTakeFirst());
  if (!row) throw notFound("subscription", id);
  return row;
}

/** Subscriptions of the tenant, or of one of its customers, oldest first. */
export function listSubscriptions(app: App, tenantId: string, request: ListSubscriptionsRequest) {
  const page = openPage(app, { tenantId, list: "subscription" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await subscriptions(tx, tenantId)
      .$if(request.customerId !== "", (query) => query.where("customer_id", "=", request.customerId))
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListSubscriptionsResponseSchema, { subscriptions: rows.map(toSubscription), nextPageToken });
  });
}

function subscriptions(tx: Tx, tenantId: string) {
  return tx.selectFrom("subscription").selectAll().where("tenant_id", "=", tenantId);
}
