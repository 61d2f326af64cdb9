import { type Selectable, sql } from "kysely";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import type { Endpoint as EndpointRow } from "../db/tables.ts";
import type { ClaimedDelivery, Turn } from "./claim-deliveries.ts";

/** An endpoint whose turn it is, and what limits it. */
export interface CappedTurn extends Turn {
  maxPerSecond: number | null;
  maxInFlight: number | null;
  /** In a row. */
  failures: number;
}

/** Since when an endpoint that has a rate has paid for what was claimed of it. */
interface Pace {
  tenantId: string;
  endpointId: string;
  maxPerSecond: number | null;
  paidUntil: Date;
}

/** Whether an endpoint has a cap. */
export function isCapped({ maxPerSecond, maxInFlight }: CappedTurn): boolean {
  return maxPerSecond !== null || maxInFlight !== null;
}

/** Makes the row that those lock who claim from an endpoint with a cap. */
export async function keepPace(tx: Tx, row: Selectable<EndpointRow>): Promise<void> {
  if (row.max_per_second === null && row.max_in_flight === null) return;
  await tx
    .insertInto("endpoint_pace")
    .values({ tenant_id: row.tenant_id, endpoint_id: row.id, paid_until: new Date(0) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

// What a rate saves up while nothing is sent: half a second's worth, more than lies between two looks.
const SAVED_MS = 500;

/**
 * How many may be claimed at a rate, and from when on the next is paid for. A rate is saved up for half a second, so that
 * in no second more than one and a half times as many are claimed.
 */
export function allowance(paidUntil: Date, maxPerSecond: number, now: Date): { count: number; from: Date } {
  const saved = Math.max(SAVED_MS, 1000 / maxPerSecond);
  const from = new Date(Math.max(paidUntil.getTime(), now.getTime() - saved));
  return { count: Math.max(0, Math.floor(((now.getTime() - from.getTime()) * maxPerSecond) / 1000)), from };
}

/**
 * Turns with their limits lowered to what their caps allow. A capped endpoint is locked for that: what another process has
 * claimed is seen, and one that another process is just claiming from is left to it.
 */
export async function withinCaps<T extends CappedTurn & { limit: number }>(
  tx: Tx,
  turns: readonly T[],
  now: Date,
): Promise<{ allowed: T[]; paces: Pace[] }> {
  const capped = turns.filter(isCapped);
  const keys = sql`unnest(
    ${capped.map((one) => one.tenantId)}::uuid[], ${capped.map((one) => one.endpointId)}::uuid[]
  ) as capped (tenant_id, endpoint_id)`;
  const { rows: locked } = await sql<{ endpointId: string; paidUntil: Date }>`
    select pace.endpoint_id as "endpointId", pace.paid_until as "paidUntil"
    from endpoint_pace pace join ${keys} using (tenant_id, endpoint_id)
    order by pace.tenant_id, pace.endpoint_id
    for update of pace skip locked`.execute(tx);
  // A statement of its own: it sees what was claimed before the lock was given.
  const { rows: counted } = await sql<{ endpointId: string; inFlight: number }>`
    select capped.endpoint_id as "endpointId", (
      select count(*)::integer from delivery d
      where d.tenant_id = capped.tenant_id and d.endpoint_id = capped.endpoint_id and d.state = 'PENDING'
        and d.lease_until > ${now}
    ) as "inFlight"
    from ${keys}`.execute(tx);
  const paidUntil = new Map(locked.map((one) => [one.endpointId, one.paidUntil]));
  const inFlight = new Map(counted.map((one) => [one.endpointId, one.inFlight]));
  const paces: Pace[] = [];
  const allowed = turns.flatMap((turn) => {
    if (!isCapped(turn)) return [turn];
    const { endpointId, maxPerSecond, maxInFlight } = turn;
    const paid = paidUntil.get(endpointId);
    if (!paid) return [];
    const rate = maxPerSecond === null ? undefined : allowance(paid, maxPerSecond, now);
    paces.push({ ...turn, paidUntil: rate?.from ?? paid });
    const flying = inFlight.get(endpointId) ?? 0;
    const limit = Math.min(turn.limit, rate?.count ?? turn.limit, (maxInFlight ?? Number.MAX_SAFE_INTEGER) - flying);
    return limit > 0 ? [{ ...turn, limit }] : [];
  });
  return { allowed, paces };
}

/** Notes what was claimed of endpoints that have a rate. */
export async function payForClaims(tx: Tx, paces: readonly Pace[], claimed: readonly ClaimedDelivery[]): Promise<void> {
  const counts = Map.groupBy(claimed, (one) => one.endpoint_id);
  const paid = paces.flatMap(({ tenantId, endpointId, maxPerSecond, paidUntil }) => {
    const count = counts.get(endpointId)?.length ?? 0;
    if (maxPerSecond === null || count === 0) return [];
    return [{ tenantId, endpointId, paidUntil: plusMs(paidUntil, Math.ceil((count * 1000) / maxPerSecond)) }];
  });
  if (paid.length === 0) return;
  await sql`
    update endpoint_pace pace set paid_until = paid.paid_until
    from unnest(
      ${paid.map((one) => one.tenantId)}::uuid[], ${paid.map((one) => one.endpointId)}::uuid[],
      ${paid.map((one) => one.paidUntil)}::timestamptz[]
    ) as paid (tenant_id, endpoint_id, paid_until)
    where pace.tenant_id = paid.tenant_id and pace.endpoint_id = paid.endpoint_id`.execute(tx);
}
