import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** An endpoint that the transaction has locked, so that no delivery is made beside it. */
export interface LockedEndpoint {
  tenantId: string;
  endpointId: string;
}

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
  const ofTypes = types ? sql`and d.event_type = any(${types}::text[])` : sql``;
  await sql`
    with waiting as (
      select due.delivery_id from delivery_due due
      cross join lateral ( -- by key, each in its week
        select event_type from delivery where tenant_id = due.tenant_id and id = due.delivery_id offset 0
      ) as d
      where due.tenant_id = ${tenantId} and due.endpoint_id = ${endpointId} ${ofTypes}
      order by due.delivery_id
      for update of due
    ), gone as (
      delete from delivery_due using waiting
      where delivery_due.tenant_id = ${tenantId} and delivery_due.delivery_id = waiting.delivery_id
      returning delivery_due.delivery_id
    )
    update delivery set state = 'FAILED', completed_at = ${now}, last_error = ${why}
    where tenant_id = ${tenantId} and id = any(array(select delivery_id from gone))`.execute(tx);
}
