import { sql } from "kysely";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { periodAt } from "../pricing/billing-period.ts";
import { billsInArrears, isInAdvance, plansOf } from "../pricing/plan.ts";
import { cadenceOf, periodDueAt, type SubscriptionRow } from "../pricing/subscription.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { gracePeriodMs } from "../tenant/grace-period.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { advanceDraft, arrearsDraft } from "./draft.ts";
import { draftStranded } from "./draft-stranded.ts";
import { insertDrafts } from "./insert-drafts.ts";
import type { InvoiceRow } from "./invoice.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

/**
 * Moves subscriptions that are due one step on: fees in advance of a period that has begun, or the close of one that has
 * ended. Each makes a draft, if the plan has prices for it. Answers how many were moved; one that is several periods
 * behind is due again at once.
 */
export function closePeriods(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "CLOSE_PERIODS", now))) return 0;
    const due = await dueSubscriptions(tx, tenantId, now);
    if (due.length > 0) {
      const planOf = await plansOf(tx, tenantId, due);
      const graceMs = await gracePeriodMs(tx, tenantId);
      const moves = due.map((subscription) => moveOf(subscription, planOf(subscription), now, graceMs));
      await saveSubscriptions(tx, tenantId, moves);
      const drafts = moves.flatMap((move) => move.draft ?? []);
      await insertDrafts(tx, tenantId, drafts, now);
      if (moves.some((move) => move.subscription.due_at === null)) await draftStranded(tx, tenantId, now);
    }
    await settleDue(tx, tenantId, "CLOSE_PERIODS", await nextDueAt(tx, tenantId));
    return due.length;
  });
}

/** Equal times in the order of customers, so that the same usage makes the same invoices in the same order. */
function dueSubscriptions(tx: Tx, tenantId: string, now: Date): Promise<SubscriptionRow[]> {
  return tx
    .selectFrom("subscription")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("due_at", "<=", now)
    .orderBy("due_at")
    .orderBy("customer_id")
    .orderBy("plan_key")
    .limit(BATCH_MAX)
    .forUpdate()
    .execute();
}

interface Move {
  /** The subscription as it stands afterwards. */
  subscription: SubscriptionRow;
  draft?: InvoiceRow;
}

/** The one step that a due subscription takes. */
function moveOf(subscription: SubscriptionRow, plan: Plan, now: Date, graceMs: number): Move {
  const { period_start, period_end, ends_at, advance_billed_until } = subscription;
  if (advance_billed_until < period_end && plan.prices.some(isInAdvance)) {
    return {
      subscription: { ...subscription, advance_billed_until: period_end, due_at: period_end },
      draft: advanceDraft(subscription, plan, now),
    };
  }
  const over = ends_at !== null && ends_at <= period_end;
  const next = over ? { start: period_end, end: period_end } : periodAt(cadenceOf(subscription, plan), period_end);
  const moved = {
    ...subscription,
    period_start: next.start,
    period_end: next.end,
    due_at: over ? null : periodDueAt(plan, next),
  };
  const ended = period_start >= period_end; // with its trial: there was no period
  if (ended || !billsInArrears(plan)) return { subscription: moved };
  return { subscription: moved, draft: arrearsDraft(subscription, plan, now, graceMs) };
}

async function saveSubscriptions(tx: Tx, tenantId: string, moves: readonly Move[]): Promise<void> {
  const rows = moves.map((move) => move.subscription);
  await sql`
    update subscription set period_start = moved.period_start, period_end = moved.period_end,
      advance_billed_until = moved.advance_billed_until, due_at = moved.due_at
    from unnest(
      ${rows.map((row) => row.id)}::uuid[],
      ${rows.map((row) => row.period_start)}::timestamptz[],
      ${rows.map((row) => row.period_end)}::timestamptz[],
      ${rows.map((row) => row.advance_billed_until)}::timestamptz[],
      ${rows.map((row) => row.due_at)}::timestamptz[]
    ) as moved (id, period_start, period_end, advance_billed_until, due_at)
    where subscription.tenant_id = ${tenantId} and subscription.id = moved.id`.execute(tx);
}

async function nextDueAt(tx: Tx, tenantId: string): Promise<Date | null> {
  const row = await tx
    .selectFrom("subscription")
    .select("due_at")
    .where("tenant_id", "=", tenantId)
    .where("due_at", "is not", null)
    .orderBy("due_at")
    .limit(1)
    .executeTakeFirst();
  return row?.due_at ?? null;
}
