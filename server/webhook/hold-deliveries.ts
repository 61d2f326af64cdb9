import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";

/** Gives back deliveries that were not sent. One that somebody is just changing is no longer ours to give. */
export async function releaseDeliveries(app: App, unsent: readonly ClaimedDelivery[]): Promise<void> {
  if (unsent.length === 0) return;
  await sql`
    with held as (${held(unsent)})
    update delivery_due due set lease_until = null, lease_token = null
    from held where due.tenant_id = held.tenant_id and due.delivery_id = held.delivery_id`.execute(app.workerDb);
}

/** Holds deliveries for another lease, and answers the tokens and ids of those that were still held. */
export async function extendLeases(app: App, claimed: readonly ClaimedDelivery[]): Promise<ReadonlySet<string>> {
  if (claimed.length === 0) return new Set();
  const until = plusMs(app.clock.now(), app.config.deliveryLeaseMs);
  const { rows } = await sql<{ delivery_id: string }>`
    with held as (${held(claimed)})
    update delivery_due due set lease_until = ${until}
    from held where due.tenant_id = held.tenant_id and due.delivery_id = held.delivery_id
    returning due.delivery_id`.execute(app.workerDb);
  return new Set(rows.map((row) => row.delivery_id));
}

function held(claimed: readonly ClaimedDelivery[]) {
  return sql`
    select due.tenant_id, due.delivery_id from delivery_due due
    join unnest(
      ${claimed.map((one) => one.tenant_id)}::uuid[], ${claimed.map((one) => one.id)}::uuid[],
      ${claimed.map((one) => one.lease_token)}::uuid[]
    ) as claimed (tenant_id, delivery_id, lease_token) using (tenant_id, delivery_id, lease_token)
    for update of due skip locked`;
}
