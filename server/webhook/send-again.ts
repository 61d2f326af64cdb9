import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
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
    with free as (
      select id from delivery
      where tenant_id = ${tenantId} and id = any(${ids}::uuid[]) and lease_until is null
      order by id -- as settlements lock them
      for update
    )
    update delivery d set
      state = 'PENDING', next_attempt_at = ${now}, completed_at = null, replay_id = ${replayId}::uuid,
      attempt_base = case when d.state = 'PENDING' then d.attempt_base else d.attempt_count end
    from free
    where d.tenant_id = ${tenantId} and d.id = free.id
    returning d.*`.execute(tx);
  return rows;
}
