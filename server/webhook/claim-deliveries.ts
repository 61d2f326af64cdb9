import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";

// Endpoints that get a turn in one claim, and deliveries of each: a dead endpoint can hold up a pass for one timeout and no
// longer, whatever it has waiting.
const ENDPOINTS_MAX = 64;
const PER_ENDPOINT_MAX = 16;

/** Where turns have come to: an endpoint, in the order of tenants and endpoints. */
export interface Turn {
  tenantId: string;
  endpointId: string;
}

const NIL = "00000000-0000-0000-0000-000000000000";
/** Before the first endpoint. */
export const FIRST_TURN: Turn = { tenantId: NIL, endpointId: NIL };

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
  endpoint_failing: boolean;
  type: string;
  occurred_at: Date;
  data: string;
}

/**
 * Claims deliveries that are due and that nobody holds, of the endpoints after `turn`, and says whose turn is next. A lease
 * that ran out holds nothing. What was claimed is in the order to send it in: the first of each endpoint, the second of
 * each, and so on.
 */
export async function claimDeliveries(app: App, turn: Turn): Promise<{ claimed: ClaimedDelivery[]; next: Turn }> {
  let after = turn;
  let round = after === FIRST_TURN ? 1 : 0; // how often the turns have begun anew
  for (;;) {
    const endpoints = await endpointsAfter(app, after);
    const claimed = await claimOf(app, endpoints);
    const last = endpoints.length === ENDPOINTS_MAX ? endpoints.at(-1) : undefined;
    after = last ?? FIRST_TURN;
    if (claimed.length > 0 || (!last && round > 0)) return { claimed, next: after };
    if (!last) round++;
  }
}

/** The next endpoints that have deliveries waiting and may be sent to: one step in the index each. */
async function endpointsAfter(app: App, turn: Turn): Promise<Turn[]> {
  const { rows } = await sql<Turn>`
    with recursive waiting as (
      (select tenant_id, endpoint_id from delivery
        where state = 'PENDING' and (tenant_id, endpoint_id) > (${turn.tenantId}::uuid, ${turn.endpointId}::uuid)
        order by tenant_id, endpoint_id limit 1)
      union all
      select following.* from waiting cross join lateral (
        select tenant_id, endpoint_id from delivery
        where state = 'PENDING' and (tenant_id, endpoint_id) > (waiting.tenant_id, waiting.endpoint_id)
        order by tenant_id, endpoint_id limit 1
      ) as following
    )
    select waiting.tenant_id as "tenantId", waiting.endpoint_id as "endpointId"
    from waiting join endpoint on endpoint.tenant_id = waiting.tenant_id and endpoint.id = waiting.endpoint_id
    left join endpoint_failure failure
      on failure.tenant_id = waiting.tenant_id and failure.endpoint_id = waiting.endpoint_id
    where endpoint.paused_at is null and endpoint.disabled_at is null
      and (failure.rest_until is null or failure.rest_until <= ${app.clock.now()})
    limit ${ENDPOINTS_MAX}`.execute(app.workerDb);
  return rows;
}

async function claimOf(app: App, endpoints: readonly Turn[]): Promise<ClaimedDelivery[]> {
  if (endpoints.length === 0) return [];
  const now = app.clock.now();
  const until = plusMs(now, app.config.deliveryLeaseMs);
  const { rows } = await sql<ClaimedDelivery>`
    with due as (
      select locked.* from unnest(
        ${endpoints.map((one) => one.tenantId)}::uuid[], ${endpoints.map((one) => one.endpointId)}::uuid[]
      ) as turn (tenant_id, endpoint_id)
      cross join lateral (
        select d.tenant_id, d.id from delivery d
        where d.tenant_id = turn.tenant_id and d.endpoint_id = turn.endpoint_id
          and d.state = 'PENDING' and d.next_attempt_at <= ${now}
          and (d.lease_until is null or d.lease_until <= ${now})
        order by d.next_attempt_at, d.id
        limit ${PER_ENDPOINT_MAX}
        for update skip locked
      ) as locked
    ), claimed as (
      update delivery set lease_until = ${until}, lease_token = ${randomUUID()}
      from due
      where delivery.tenant_id = due.tenant_id and delivery.id = due.id
      returning delivery.*
    )
    select c.tenant_id, c.id, c.endpoint_id, c.event_id, c.sequence, c.attempt_count, c.lease_until, c.lease_token,
      e.type, e.occurred_at, e.data,
      exists (
        select from endpoint_failure f where f.tenant_id = c.tenant_id and f.endpoint_id = c.endpoint_id
      ) as endpoint_failing
    from claimed c
    join outbox_event e on e.tenant_id = c.tenant_id and e.id = c.event_id
    order by row_number() over (partition by c.tenant_id, c.endpoint_id order by c.id), c.id`.execute(app.workerDb);
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
