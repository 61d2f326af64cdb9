import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";

/** Gives back deliveries that were not sent. One that somebody is just changing is no longer ours to give. */
export async function releaseDeliveries(app: App, unsent: readonly ClaimedDelivery[]): Promise<void> {
  if (unsent.length === 0) return;
  await sql`
    with held as (${held(unsent)})
    update delivery set lease_until = null, lease_token = null
    from held where delivery.tenant_id = held.tenant_id and delivery.id = held.id`.execute(app.workerDb);
}

/** Holds deliveries that are still under way for another lease. One whose lease was lost stays lost. */
export async function extendLeases(app: App, underWay: readonly ClaimedDelivery[]): Promise<void> {
  if (underWay.length === 0) return;
  await sql`
    with held as (${held(underWay)})
    update delivery set lease_until = ${plusMs(app.clock.now(), app.config.deliveryLeaseMs)}
    from held where delivery.tenant_id = held.tenant_id and delivery.id = held.id`.execute(app.workerDb);
}

function held(claimed: readonly ClaimedDelivery[]) {
  return sql`
    select d.tenant_id, d.id from delivery d
    join unnest(
      ${claimed.map((one) => one.tenant_id)}::uuid[], ${claimed.map((one) => one.id)}::uuid[],
      ${claimed.map((one) => one.lease_token)}::uuid[]
    ) as claimed (tenant_id, id, lease_token) using (tenant_id, id, lease_token)
    where d.state = 'PENDING'
    for update of d skip locked`;
}
