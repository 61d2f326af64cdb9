import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Db, Tx } from "../db/database.ts";
import { type CappedTurn, isCapped, payForClaims, withinCaps } from "./endpoint-caps.ts";
import type { Room } from "./room.ts";

// Endpoints that get a turn in one claim.
const ENDPOINTS_MAX = 64;

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
  /** Attempts from before it was last sent again, which the schedule does not count. */
  attempt_base: number;
  lease_until: Date;
  /** Proves the claim. */
  lease_token: string;
  endpoint_failing: boolean;
  type: string;
  occurred_at: Date;
  data: string;
}

/** What a claim gave. */
export interface Claim {
  claimed: ClaimedDelivery[];
  /** Whose turn is next. */
  next: Turn;
  /** Whether some may be due that there was no room for. */
  heldBack: boolean;
}

/**
 * Claims deliveries that are due and that nobody holds, as many as there is room for, of the endpoints after `turn`. A lease
 * that ran out holds nothing. What was claimed is in the order to send it in: the first of each endpoint, the second of
 * each, and so on.
 */
export async function claimDeliveries(app: App, turn: Turn, room: Room): Promise<Claim> {
  let after = turn;
  let round = after === FIRST_TURN ? 1 : 0; // how often the turns have begun anew
  let heldBack = false;
  for (;;) {
    const endpoints = await endpointsAfter(app, after);
    const turns = endpoints.map((one) => ({ ...one, limit: limitOf(app, one, room) }));
    const claimed = await claimWithin(app, turns, room);
    const counts = Map.groupBy(claimed, (one) => one.endpoint_id);
    heldBack ||= turns.some(
      ({ endpointId, limit, maxInFlight }) => maxInFlight !== null || limit <= (counts.get(endpointId)?.length ?? 0),
    );
    const last = endpoints.length === ENDPOINTS_MAX ? endpoints.at(-1) : undefined;
    after = last ?? FIRST_TURN;
    if (claimed.length > 0 || (!last && round > 0)) return { claimed, next: after, heldBack };
    if (!last) round++;
  }
}

/** An endpoint that is not known to work again is asked with one delivery at a time. */
function limitOf(app: App, turn: CappedTurn, room: Room): number {
  const { breakerFailures } = app.config;
  const probing = breakerFailures > 0 && turn.failures >= breakerFailures;
  return Math.min(room.ofEndpoint(turn), probing ? 1 : Number.POSITIVE_INFINITY);
}

/** The next endpoints that have deliveries waiting and may be sent to: one step in the index each. */
async function endpointsAfter(app: App, turn: Turn): Promise<CappedTurn[]> {
  const { rows } = await sql<CappedTurn>`
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
    select waiting.tenant_id as "tenantId", waiting.endpoint_id as "endpointId",
      endpoint.max_per_second as "maxPerSecond", endpoint.max_in_flight as "maxInFlight",
      coalesce(failure.failure_count, 0) as failures
    from waiting join endpoint on endpoint.tenant_id = waiting.tenant_id and endpoint.id = waiting.endpoint_id
    left join endpoint_failure failure
      on failure.tenant_id = waiting.tenant_id and failure.endpoint_id = waiting.endpoint_id
    where endpoint.paused_at is null and endpoint.disabled_at is null
      and (failure.rest_until is null or failure.rest_until <= ${app.clock.now()})
    limit ${ENDPOINTS_MAX}`.execute(app.workerDb);
  return rows;
}

type LimitedTurn = CappedTurn & { limit: number };

/** Caps hold over all processes: those who claim from a capped endpoint do so one after the other. */
function claimWithin(app: App, turns: readonly LimitedTurn[], room: Room): Promise<ClaimedDelivery[]> {
  const open = turns.filter(({ limit }) => limit > 0);
  if (!open.some(isCapped)) return claimOf(app, app.workerDb, open, room);
  return app.workerDb.transaction().execute(async (tx) => {
    const { allowed, paces } = await withinCaps(tx, open, app.clock.now());
    const claimed = await claimOf(app, tx, allowed, room);
    await payForClaims(tx, paces, claimed);
    return claimed;
  });
}

async function claimOf(app: App, db: Db | Tx, turns: readonly LimitedTurn[], room: Room): Promise<ClaimedDelivery[]> {
  if (turns.length === 0) return [];
  const now = app.clock.now();
  const until = plusMs(now, app.config.deliveryLeaseMs);
  const { rows } = await sql<ClaimedDelivery>`
    with found as (
      select locked.*, turn.tenant_limit,
        row_number() over (partition by turn.endpoint_id order by locked.next_attempt_at, locked.id) as place
      from unnest(
        ${turns.map((one) => one.tenantId)}::uuid[], ${turns.map((one) => one.endpointId)}::uuid[],
        ${turns.map((one) => one.limit)}::integer[], ${turns.map((one) => room.ofTenant(one.tenantId))}::integer[]
      ) as turn (tenant_id, endpoint_id, endpoint_limit, tenant_limit)
      cross join lateral (
        select d.tenant_id, d.id, d.next_attempt_at from delivery d
        where d.tenant_id = turn.tenant_id and d.endpoint_id = turn.endpoint_id
          and d.state = 'PENDING' and d.next_attempt_at <= ${now}
          and (d.lease_until is null or d.lease_until <= ${now})
        order by d.next_attempt_at, d.id
        limit turn.endpoint_limit
        for update skip locked
      ) as locked
    ), ranked as (
      select *, row_number() over (partition by tenant_id order by place, next_attempt_at, id) as tenant_place from found
    ), due as (
      select tenant_id, id, place from ranked where tenant_place <= tenant_limit
      order by place, next_attempt_at, id
      limit ${room.free()}
    ), claimed as (
      update delivery set lease_until = ${until}, lease_token = ${randomUUID()}
      from due
      where delivery.tenant_id = due.tenant_id and delivery.id = due.id
      returning delivery.*, due.place
    )
    select c.tenant_id, c.id, c.endpoint_id, c.event_id, c.sequence, c.attempt_count, c.attempt_base, c.lease_until,
      c.lease_token, e.type, e.occurred_at, e.data,
      exists (
        select from endpoint_failure f where f.tenant_id = c.tenant_id and f.endpoint_id = c.endpoint_id
      ) as endpoint_failing
    from claimed c
    join outbox_event e on e.tenant_id = c.tenant_id and e.id = c.event_id
    order by c.place, c.id`.execute(db);
  return rows;
}
