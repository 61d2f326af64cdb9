import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { type Discount, DiscountSchema } from "../../gen/usageflow/v1/discount_pb.ts";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type ListDiscountsRequest, ListDiscountsResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Discount as DiscountTable } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { fromMinor } from "../money.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { type BillingPeriod, periodAt } from "./billing-period.ts";
import { cadenceOf, type SubscriptionRow } from "./subscription.ts";

/** A row of `discount`. */
export type DiscountRow = Selectable<DiscountTable>;

/** The discount as callers see it. */
export function toDiscount(row: DiscountRow): Discount {
  return create(DiscountSchema, {
    id: formatId("dsc", row.id),
    subscriptionId: formatId("sub", row.subscription_id),
    name: row.name,
    percent: row.percent ?? "",
    amount: row.amount_minor === null ? "" : fromMinor(row.amount_minor, row.currency),
    currency: row.currency,
    periods: row.periods ?? 0,
    startsAt: timestampFromDate(row.starts_at),
    ...(row.ends_at ? { endsAt: timestampFromDate(row.ends_at) } : {}),
    createdAt: timestampFromDate(row.created_at),
  });
}

/** Whether a discount covers a period: by where it begins. */
export function covers({ starts_at, ends_at }: DiscountRow, period: { period_start: Date }): boolean {
  return starts_at <= period.period_start && (ends_at === null || period.period_start < ends_at);
}

/**
 * The period that is open now, by the clock: the workers may be some periods behind. It goes on to the end of the full one,
 * also where it is cut. In a trial it is the first that is billed.
 */
export function openPeriod(subscription: SubscriptionRow, plan: Plan, now: Date): BillingPeriod {
  const { period_start, period_end, full_period_end } = subscription;
  return now < period_end
    ? { start: period_start, end: full_period_end }
    : periodAt(cadenceOf(subscription, plan), now);
}

/** One discount, or not-found. */
export async function getDiscount(tx: Tx, tenantId: string, id: string): Promise<DiscountRow> {
  const uuid = parseId("dsc", id);
  const row = uuid && (await discounts(tx, tenantId).where("id", "=", uuid).executeTakeFirst());
  if (!row) throw notFound("discount", id);
  return row;
}

/** The discounts of subscriptions, in the order in which they were made, which is that in which they take off. */
export function discountsOf(tx: Tx, tenantId: string, subscriptionIds: readonly string[]): Promise<DiscountRow[]> {
  return discounts(tx, tenantId).where(sql<boolean>`subscription_id = any(${subscriptionIds})`).orderBy("id").execute();
}

/** Discounts of the tenant, or of one of its subscriptions, oldest first. */
export function listDiscounts(app: App, tenantId: string, request: ListDiscountsRequest) {
  const page = openPage(app, { tenantId, list: "discount" }, request);
  const { subscriptionId } = request;
  const subscription = parseId("sub", subscriptionId) ?? null; // one that is none has no discounts
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await discounts(tx, tenantId)
      .$if(subscriptionId !== "", (query) => query.where("subscription_id", "=", subscription))
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListDiscountsResponseSchema, { discounts: rows.map(toDiscount), nextPageToken });
  });
}

function discounts(tx: Tx, tenantId: string) {
  return tx.selectFrom("discount").selectAll().where("tenant_id", "=", tenantId);
}
