import { sql } from "kysely";
import { leaveWork, type Tx } from "../db/database.ts";
import type { DeliveryRow } from "./delivery.ts";

/**
 * Makes deliveries of an endpoint that the transaction has locked due at `now`, and answers them as they are then. Their ids,
 * sequences and bodies stay. Those that were over get the whole schedule again; one that is held by a worker is being sent
 * anyway, and is left out. `replayId` is the replay that does it.
 */
export async function sendAgain(
  tx: Tx,
  tenantId: string,
  ids: readonly string[],
  now: Date,
  replayId: string | null = null,
): Promise<DeliveryRow[]> {
  const { rows } = await sql<DeliveryRow>`
    with waiting as (
      select delivery_id as id, lease_until from delivery_due
      where tenant_id = ${tenantId} and delivery_id = any(${ids}::uuid[])
      order by delivery_id -- as settlements lock them
      for update
    ), hastened as (
      update delivery_due due set next_attempt_at = ${now}, replay_id = ${replayId}::uuid
      from waiting
      where due.tenant_id = ${tenantId} and due.delivery_id = waiting.id and waiting.lease_until is null
      returning due.delivery_id as id
    ), begun as (
      update delivery set state = 'PENDING', completed_at = null
      where tenant_id = ${tenantId} and id = any(${ids}::uuid[]) and state <> 'PENDING'
      returning *
    ), queued as (
      insert into delivery_due (
        tenant_id, delivery_id, event_id, endpoint_id, sequence, created_at, attempt_count, attempt_base, replay_id,
        next_attempt_at
      )
      select tenant_id, id, event_id, endpoint_id, sequence, created_at, attempt_count, attempt_count, ${replayId}::uuid,
        ${now}::timestamptz
      from begun
    )
    select begun.*, ${now}::timestamptz as next_attempt_at from begun
    union all
    select delivery.*, ${now}::timestamptz from delivery
    join hastened on delivery.tenant_id = ${tenantId} and delivery.id = hastened.id`.execute(tx);
  leaveWork(tx, "deliver");
  return rows;
}
