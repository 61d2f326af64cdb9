import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";

// Deliveries of one claim: enough to share its cost, few enough to be sent before the lease ends.
const DELIVERIES_MAX = 256;

/** A delivery that its claimer may send, and its event. */
export interface ClaimedDelivery {
  tenant_id: string;
  id: string;
  endpoint_id: string;
  event_id: string;
  sequence: bigint;
  attempt_count: number;
  lease_until: Date;
  /** Proves the claim. */
  lease_token: string;
  type: string;
  occurred_at: Date;
  data: string;
}

/** Claims deliveries of all tenants that are due and that nobody holds. A lease that ran out holds nothing. */
export async function claimDeliveries(app: App): Promise<ClaimedDelivery[]> {
  const now = app.clock.now();
  const until = plusMs(now, app.config.deliveryLeaseMs);
  const { rows } = await sql<ClaimedDelivery>`
    with due as (
      select tenant_id, id from delivery
      where state = 'PENDING' and next_attempt_at <= ${now} and (lease_until is null or lease_until <= ${now})
      order by next_attempt_at
      limit ${DELIVERIES_MAX}
      for update skip locked
    ), claimed as (
      update delivery set lease_until = ${until}, lease_token = ${randomUUID()}
      from due
      where delivery.tenant_id = due.tenant_id and delivery.id = due.id
      returning delivery.*
    )
    select c.tenant_id, c.id, c.endpoint_id, c.event_id, c.sequence, c.attempt_count, c.lease_until, c.lease_token,
      e.type, e.occurred_at, e.data
    from claimed c
    join outbox_event e on e.tenant_id = c.tenant_id and e.id = c.event_id
    order by c.id`.execute(app.workerDb);
  return rows;
}

/** Gives back deliveries that were not sent. One that somebody is just changing is no longer ours to give. */
export async function releaseDeliveries(app: App, unsent: readonly ClaimedDelivery[]): Promise<void> {
  if (unsent.length === 0) return;
  await sql`
    with unsent as (
      select * from unnest(
        ${unsent.map((one) => one.tenant_id)}::uuid[], ${unsent.map((one) => one.id)}::uuid[],
        ${unsent.map((one) => one.lease_token)}::uuid[]
      ) as unsent (tenant_id, id, lease_token)
    ), held as (
      select d.tenant_id, d.id from delivery d join unsent using (tenant_id, id, lease_token)
      where d.state = 'PENDING'
      for update of d skip locked
    )
    update delivery set lease_until = null, lease_token = null
    from held where delivery.tenant_id = held.tenant_id and delivery.id = held.id`.execute(app.workerDb);
}
