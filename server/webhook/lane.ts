import { type RawBuilder, sql } from "kysely";
import { leaveWork, type Tx } from "../db/database.ts";

// Ordered endpoints. Deliveries of a lane are sent one after the other, in the order of their sequences:
//
//   the first ──▶ due by its schedule     the others ──▶ held: at infinity, where no claim looks
//        └── over: delivered, given up, skipped ──▶ the next is the first, and is due
//
// A customer is a lane. So is a customer in a replay: what is sent again keeps its order and holds nothing that is live. What
// is about no single customer, and what is sent again by hand, is in no lane. Lanes change under their endpoint's lock alone,
// so that nothing is put behind a delivery that is just ending.

/** Where what is held waits. */
export const HELD = sql<Date>`'infinity'::timestamptz`;

/** The lane of a delivery of an ordered endpoint. */
export function laneOf(customerId: string | null): string | null {
  return customerId || null;
}

/** How the lanes of a replay begin; the customer follows. No id of a customer has a line feed. */
export function laneOfReplay(replayId: string): string {
  return `${replayId}\n`;
}

/** A lane of an endpoint. */
export interface Lane {
  endpoint_id: string;
  lane: string;
}

/** The lanes of deliveries by their ids: they stay so while their endpoints are locked. Those in none are left out. */
export async function lanesOf(tx: Tx, tenantId: string, ids: readonly string[]): Promise<ReadonlyMap<string, Lane>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<Lane & { id: string }>`
    select found.* from unnest(${ids}::uuid[]) as of (id)
    cross join lateral (
      select delivery_id as id, endpoint_id, lane from delivery_due
      where tenant_id = ${tenantId} and delivery_id = of.id and lane is not null
      limit 1 -- by key, whatever the planner thinks of the queue
    ) as found`.execute(tx);
  return new Map(rows.map(({ id, ...lane }) => [id, lane]));
}

/** Makes the first of each lane due at `now`, if it is held, of endpoints that the transaction has locked. */
export async function release(tx: Tx, tenantId: string, lanes: readonly Lane[], now: Date): Promise<void> {
  if (lanes.length === 0) return;
  await sql`
    with held as (
      select first.delivery_id
      from unnest(
        ${lanes.map((one) => one.endpoint_id)}::uuid[], ${lanes.map((one) => one.lane)}::text[]
      ) as freed (endpoint_id, lane)
      cross join lateral (
        select one.delivery_id, one.next_attempt_at from delivery_due one where ${whereFirst(tenantId, sql`freed`)}
      ) as first
      where first.next_attempt_at = ${HELD}
    )
    update delivery_due due set next_attempt_at = ${now} from held
    where due.tenant_id = ${tenantId} and due.delivery_id = held.delivery_id`.execute(tx);
  leaveWork(tx, "deliver");
}

/**
 * Holds those of these deliveries that another of their lane comes before: their endpoint became ordered while they were
 * being sent.
 */
export async function holdBehind(tx: Tx, tenantId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`
    update delivery_due due set next_attempt_at = ${HELD} from unnest(${ids}::uuid[]) as again (id)
    where due.tenant_id = ${tenantId} and due.delivery_id = again.id
      and due.delivery_id <> (${firstOf(tenantId, sql`due`)})`.execute(tx);
}

/** Puts what waits for an endpoint that the transaction has locked in order: of each customer all but the first are held. */
export async function beginOrder(tx: Tx, tenantId: string, endpointId: string): Promise<void> {
  await sql`
    with waiting as (
      select delivery_id from delivery_due
      where tenant_id = ${tenantId} and endpoint_id = ${endpointId}
      order by delivery_id -- as settlements lock them
      for update
    )
    update delivery_due due set lane = d.customer_id
    from waiting cross join lateral ( -- by key, each in its week
      select customer_id from delivery where tenant_id = ${tenantId} and id = waiting.delivery_id offset 0
    ) as d
    where due.tenant_id = ${tenantId} and due.delivery_id = waiting.delivery_id and d.customer_id is not null
  `.execute(tx);
  // A statement of its own: what ended before its row was locked is no longer the first of anything.
  await sql`
    update delivery_due due set next_attempt_at = ${HELD}
    from (
      select delivery_id, row_number() over (partition by lane order by sequence) as place from delivery_due
      where tenant_id = ${tenantId} and endpoint_id = ${endpointId} and lane is not null
    ) as waiting
    where due.tenant_id = ${tenantId} and due.delivery_id = waiting.delivery_id and waiting.place > 1`.execute(tx);
}

/** Lets all go that waits in order for an endpoint that the transaction has locked. */
export async function endOrder(tx: Tx, tenantId: string, endpointId: string, now: Date): Promise<void> {
  await sql`
    with waiting as (
      select delivery_id from delivery_due
      where tenant_id = ${tenantId} and endpoint_id = ${endpointId} and lane is not null
      order by delivery_id
      for update
    )
    update delivery_due due set
      lane = null, next_attempt_at = case when due.next_attempt_at = ${HELD} then ${now} else due.next_attempt_at end
    from waiting
    where due.tenant_id = ${tenantId} and due.delivery_id = waiting.delivery_id`.execute(tx);
  leaveWork(tx, "deliver");
}

/** Selects the id of the first of a lane that a row `of` has. */
export function firstOf(tenantId: string | RawBuilder<unknown>, of: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select one.delivery_id from delivery_due one where ${whereFirst(tenantId, of)}`;
}

function whereFirst(tenantId: string | RawBuilder<unknown>, of: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    one.tenant_id = ${tenantId} and one.endpoint_id = ${of}.endpoint_id and one.lane = ${of}.lane
    order by one.sequence limit 1`;
}
