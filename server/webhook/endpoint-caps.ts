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
  /** After failures: but what was asked for by hand, nothing is sent. */
  resting: boolean;
}

/** What is noted of an endpoint with a cap: up to when its rate is used up, and what is in flight. */
interface Pace {
  tenantId: string;
  endpointId: string;
  maxPerSecond: number | null;
  paidUntil: Date;
  inFlight: readonly string[];
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
  const { rows: locked } = await sql<{ endpointId: string; paidUntil: Date; claimed: string[] }>`
    select pace.endpoint_id as "endpointId", pace.paid_until as "paidUntil", pace.in_flight as claimed
    from endpoint_pace pace join ${keys} using (tenant_id, endpoint_id)
    order by pace.tenant_id, pace.endpoint_id
    for update of pace skip locked`.execute(tx);
  const inFlight = await stillHeld(tx, turns, locked, now);
  const paidUntil = new Map(locked.map((one) => [one.endpointId, one.paidUntil]));
  const paces: Pace[] = [];
  const allowed = turns.flatMap((turn) => {
    if (!isCapped(turn)) return [turn];
    const { endpointId, maxPerSecond, maxInFlight } = turn;
    const paid = paidUntil.get(endpointId);
    if (!paid) return [];
    const rate = maxPerSecond === null ? undefined : allowance(paid, maxPerSecond, now);
    const flying = inFlight.get(endpointId) ?? [];
    paces.push({ ...turn, paidUntil: rate?.from ?? paid, inFlight: flying });
    const limit = Math.min(
      turn.limit,
      rate?.count ?? turn.limit,
      (maxInFlight ?? Number.MAX_SAFE_INTEGER) - flying.length,
    );
    return limit > 0 ? [{ ...turn, limit }] : [];
  });
  return { allowed, paces };
}

/**
 * Which of the deliveries that were claimed last are in flight: by their keys, however many others wait. A statement of its
 * own: it sees what was claimed before the lock was given.
 */
async function stillHeld(
  tx: Tx,
  turns: readonly CappedTurn[],
  locked: readonly { endpointId: string; claimed: string[] }[],
  now: Date,
): Promise<Map<string, string[]>> {
  const tenants = new Map(turns.map((one) => [one.endpointId, one.tenantId]));
  const claimed = locked.flatMap(({ endpointId, claimed }) => claimed.map((id) => [tenants.get(endpointId), id]));
  if (claimed.length === 0) return new Map();
  const { rows } = await sql<{ endpointId: string; id: string }>`
    select due.endpoint_id as "endpointId", due.delivery_id as id
    from unnest(${claimed.map(([tenantId]) => tenantId)}::uuid[], ${claimed.map(([, id]) => id)}::uuid[])
      as claimed (tenant_id, delivery_id)
    join delivery_due due using (tenant_id, delivery_id)
    where due.lease_until > ${now}`.execute(tx);
  const held = new Map<string, string[]>();
  for (const { endpointId, id } of rows) held.set(endpointId, [...(held.get(endpointId) ?? []), id]);
  return held;
}

/** Notes what was claimed of endpoints that have a cap. */
export async function notePaces(tx: Tx, paces: readonly Pace[], claimed: readonly ClaimedDelivery[]): Promise<void> {
  const own = Map.groupBy(claimed, (one) => one.endpoint_id);
  const noted = paces.flatMap(({ tenantId, endpointId, maxPerSecond, paidUntil, inFlight }) => {
    const ids = own.get(endpointId)?.map((one) => one.id) ?? [];
    if (ids.length === 0) return [];
    const paid = maxPerSecond === null ? paidUntil : plusMs(paidUntil, Math.ceil((ids.length * 1000) / maxPerSecond));
    return [{ tenant_id: tenantId, endpoint_id: endpointId, paid_until: paid, in_flight: [...inFlight, ...ids] }];
  });
  if (noted.length === 0) return;
  await sql`
    update endpoint_pace pace set paid_until = noted.paid_until, in_flight = noted.in_flight
    from json_to_recordset(${JSON.stringify(noted)}) as noted (
      tenant_id uuid, endpoint_id uuid, paid_until timestamptz, in_flight uuid[]
    )
    where pace.tenant_id = noted.tenant_id and pace.endpoint_id = noted.endpoint_id`.execute(tx);
}
