import { type RawBuilder, sql } from "kysely";
import { leaveWork, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { stateConflict } from "../rpc/errors.ts";
import { AT_ONCE } from "./claim-deliveries.ts";
import type { DeliveryRow } from "./delivery.ts";
import { HELD, laneOfReplay, release } from "./lane.ts";
import type { ReplayRow } from "./replay.ts";

/** Whether there is the event of a row of `delivery`: it may be of a week that was dropped before the delivery's own. */
export const EVENT_IS_KEPT = sql`exists (
  select from outbox_event event where event.tenant_id = delivery.tenant_id and event.id = delivery.event_id
  offset 0 -- by key, each in its week
)`;

/**
 * Sends a delivery again because somebody asks for it, at once. Its endpoint is locked; its id, sequence and body stay. If it
 * was over, it gets the whole schedule again, in no lane. One that is held by a worker is being sent anyway, and left alone.
 */
export async function sendAgain(tx: Tx, row: DeliveryRow): Promise<void> {
  if (row.held_by) {
    const holder = formatId("whd", row.held_by);
    throw stateConflict(`it waits for ${holder}, which is before it for the same customer; retry or skip that one`);
  }
  const states = ["PENDING", "DELIVERED", "FAILED", "SKIPPED"];
  await handOver(tx, row.tenant_id, [row.id], { states, replayId: null, due: AT_ONCE, lane: sql`null` });
}

/**
 * Sends deliveries again that a replay is about, as long as they are in a state that it asks for, and answers how many. To an
 * ordered endpoint those of a customer go one after the other. What is held stays so.
 */
export async function replayAgain(
  tx: Tx,
  { tenant_id, id, delivery_states }: ReplayRow,
  endpoint: { id: string; ordered: boolean },
  ids: readonly string[],
  now: Date,
): Promise<number> {
  const lane = endpoint.ordered ? sql`${laneOfReplay(id)} || nullif(customer_id, '')` : sql`null`;
  const due = sql<Date>`${now}::timestamptz`;
  const lanes = await handOver(tx, tenant_id, ids, { states: delivery_states, replayId: id, due, lane });
  const own = [...new Set(lanes)].flatMap((one) => (one === null ? [] : [{ endpoint_id: endpoint.id, lane: one }]));
  await release(tx, tenant_id, own, now);
  return lanes.length;
}

interface HandOver {
  states: readonly string[];
  replayId: string | null;
  due: RawBuilder<Date>;
  /** Of what was over, by the columns of `delivery`. */
  lane: RawBuilder<unknown>;
}

/** Makes deliveries due, and answers the lanes that were given to them. */
async function handOver(tx: Tx, tenantId: string, ids: readonly string[], { states, replayId, due, lane }: HandOver) {
  const { rows } = await sql<{ lane: string | null }>`
    with waiting as (
      select delivery_id as id from delivery_due
      where tenant_id = ${tenantId} and delivery_id = any(${ids}::uuid[]) and 'PENDING' = any(${states}::text[])
        and lease_until is null and next_attempt_at < ${HELD}
      order by delivery_id -- as settlements lock them
      for update
    ), hastened as (
      update delivery_due due set next_attempt_at = least(due.next_attempt_at, ${due}), replay_id = ${replayId}::uuid
      from waiting
      where due.tenant_id = ${tenantId} and due.delivery_id = waiting.id
      returning due.delivery_id
    ), begun as (
      update delivery set state = 'PENDING', completed_at = null
      where tenant_id = ${tenantId} and id = any(${ids}::uuid[]) and state <> 'PENDING' and state = any(${states}::text[])
        and ${EVENT_IS_KEPT}
      returning *
    ), queued as (
      insert into delivery_due (
        tenant_id, delivery_id, event_id, endpoint_id, sequence, created_at, attempt_count, attempt_base, replay_id,
        lane, next_attempt_at
      )
      select tenant_id, id, event_id, endpoint_id, sequence, created_at, attempt_count, attempt_count, ${replayId}::uuid,
        lane, case when lane is null then ${due} else ${HELD} end
      from (select *, ${lane}::text collate "C" as lane from begun) as begun
      returning lane
    )
    select lane from queued union all select null from hastened`.execute(tx);
  leaveWork(tx, "deliver");
  return rows.map((row) => row.lane);
}
