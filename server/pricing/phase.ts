import { type Selectable, sql } from "kysely";
import type { Tx } from "../db/database.ts";
import type { SubscriptionPhase as SubscriptionPhaseTable } from "../db/tables.ts";
import type { BillingPeriod } from "./billing-period.ts";
import type { PlanRef } from "./plan.ts";

// What a subscription was on, and is:
//
//   1: pro 1, 3 seats ──other seats──▶ 2: pro 1, 5 seats ──another plan──▶ 3: team 4, 5 seats ──end at once──▶ 4: no seats
//
// A phase lasts until the next one begins. It is never changed, so that what was billed can be worked out again.

/** A row of `subscription_phase`. */
export type PhaseRow = Selectable<SubscriptionPhaseTable>;

/** A time with one number of seats. */
export interface SeatSpan extends BillingPeriod {
  quantity: number;
}

/** Adds a phase to each subscription, after those that it has. The caller has locked their rows, or just made them. */
export async function insertPhases(
  tx: Tx,
  tenantId: string,
  phases: readonly Omit<PhaseRow, "tenant_id" | "position">[],
): Promise<void> {
  await sql`
    insert into subscription_phase (
      tenant_id, subscription_id, position, start_at, plan_key, plan_version, quantity
    )
    select ${tenantId}, new.subscription_id,
      1 + (
        select count(*) from subscription_phase had
        where had.tenant_id = ${tenantId} and had.subscription_id = new.subscription_id
      ),
      new.start_at, new.plan_key, new.plan_version, new.quantity
    from unnest(
      ${phases.map((phase) => phase.subscription_id)}::uuid[],
      ${phases.map((phase) => phase.start_at)}::timestamptz[],
      ${phases.map((phase) => phase.plan_key)}::text[],
      ${phases.map((phase) => phase.plan_version)}::integer[],
      ${phases.map((phase) => phase.quantity)}::integer[]
    ) as new (subscription_id, start_at, plan_key, plan_version, quantity)`.execute(tx);
}

/** The phases of subscriptions by their ids, first one first; through position `last`, if it is given. */
export async function phasesOf(
  tx: Tx,
  tenantId: string,
  subscriptionIds: readonly string[],
  last?: number,
): Promise<Map<string, PhaseRow[]>> {
  const rows = await tx
    .selectFrom("subscription_phase")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`subscription_id = any(${subscriptionIds})`)
    .$if(last !== undefined, (query) => query.where("position", "<=", last as number))
    .orderBy("subscription_id")
    .orderBy("position")
    .execute();
  return Map.groupBy(rows, (row) => row.subscription_id);
}

/**
 * The seats of a period under a plan version: from its start, for as long as the subscription was on that version, the
 * times with different numbers of them. None when it left that version at the period's start.
 */
export function seatsOf(
  phases: readonly PhaseRow[],
  { start, end, plan_key, plan_version }: BillingPeriod & PlanRef,
): SeatSpan[] {
  const onPlan = (phase: PhaseRow) => phase.plan_key === plan_key && phase.plan_version === plan_version;
  const first = phases.findLastIndex((phase) => phase.start_at <= start && onPlan(phase));
  const spans: SeatSpan[] = [];
  for (const [i, phase] of [...phases.entries()].slice(Math.max(first, 0))) {
    if (!onPlan(phase) || phase.quantity === 0) break;
    const from = phase.start_at > start ? phase.start_at : start;
    const next = phases[i + 1]?.start_at;
    const until = next && next < end ? next : end;
    const last = spans.at(-1);
    if (from >= until) continue;
    if (last?.quantity === phase.quantity) last.end = until;
    else spans.push({ start: from, end: until, quantity: phase.quantity });
  }
  return spans;
}
