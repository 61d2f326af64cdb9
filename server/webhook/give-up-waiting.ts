import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** An endpoint that the transaction has locked, so that no delivery is made beside it. */
export interface LockedEndpoint {
  tenantId: string;
  endpointId: string;
}

// Deliveries of one statement: it may only take so long, and any number may wait.
const CHUNK = 10_000;

/**
 * Gives up what waits for an endpoint, for a reason in words; with `types`, only what is of those. The rows are locked in
 * the order in which settlements lock them: in any other, the two could wait for each other.
 */
export async function giveUpWaiting(
  tx: Tx,
  { tenantId, endpointId }: LockedEndpoint,
  now: Date,
  why: string,
  types?: readonly string[],
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select delivery_id as id from delivery_due where tenant_id = ${tenantId} and endpoint_id = ${endpointId}
    order by delivery_id
    for update`.execute(tx);
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK).map((row) => row.id);
    const ids = types ? await ofTypes(tx, tenantId, chunk, types) : chunk;
    await sql`
      with gone as (
        delete from delivery_due where tenant_id = ${tenantId} and delivery_id = any(${ids}::uuid[])
      )
      update delivery set state = 'FAILED', completed_at = ${now}, last_error = ${why}
      where tenant_id = ${tenantId} and id = any(${ids}::uuid[])`.execute(tx);
  }
}

async function ofTypes(tx: Tx, tenantId: string, ids: readonly string[], types: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from delivery
    where tenant_id = ${tenantId} and id = any(${ids}::uuid[]) and event_type = any(${types}::text[])`.execute(tx);
  return rows.map((row) => row.id);
}
