import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Db, Tx } from "../db/database.ts";
import { NIL_ID } from "../id.ts";
import { type CappedTurn, isCapped, notePaces, withinCaps } from "./endpoint-caps.ts";

// Endpoints that get a turn in one claim.
const ENDPOINTS_MAX = 64;

/** Where turns have come to: an endpoint, in the order of tenants and endpoints. */
export interface Turn {
  tenantId: string;
  endpointId: string;
}

/** When what somebody asked for by hand is due: before all else, and while its endpoint rests. */
export const AT_ONCE = sql<Date>`'-infinity'::timestamptz`;

/** Before the first endpoint. */
export const FIRST_TURN: Turn = { tenantId: NIL_ID, endpointId: NIL_ID };

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
  /** Whether its endpoint has failed since it last took a delivery. */
  endpoint_failing: boolean;
  in_lane: boolean;
  /** Whether somebody asked for it by hand: it is sent while its endpoint rests, too. */
  by_hand: boolean;
  /** Whether another worker had it, whose lease ran out. */
  recovered: boolean;
  /** The span that its event was staged in; null: it is not traced. */
  trace: Buffer | null;
  type: string;
  occurred_at: Date;
  data: string;
}

/** How much may be claimed: of all, of a tenant, of an endpoint. */
export interface ClaimRoom {
  free(): number;
  ofTenant(tenantId: string): number;
  ofEndpoint(turn: CappedTurn): number;
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
export async function claimDeliveries(app: App, turn: Turn, room: ClaimRoom): Promise<Claim> {
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
function limitOf(app: App, turn: CappedTurn, room: ClaimRoom): number {
  const { breakerFailures } = app.config;
  const probing = breakerFailures > 0 && turn.failures >= breakerFailures;
  return Math.min(room.ofEndpoint(turn), room.ofTenant(turn.tenantId), probing ? 1 : Number.POSITIVE_INFINITY);
}

/**
 * The next endpoints that have deliveries waiting and may be sent to: one step in the index each. One that rests may be sent
 * what somebody asked for by hand.
 */
async function endpointsAfter(app: App, turn: Turn): Promise<CappedTurn[]> {
  const now = app.clock.now();
  const { rows } = await sql<CappedTurn>`
    with recursive waiting as (
      (select tenant_id, endpoint_id from delivery_due
        where (tenant_id, endpoint_id) > (${turn.tenantId}::uuid, ${turn.endpointId}::uuid)
        order by tenant_id, endpoint_id limit 1)
      union all
      select following.* from waiting cross join lateral (
        select tenant_id, endpoint_id from delivery_due
        where (tenant_id, endpoint_id) > (waiting.tenant_id, waiting.endpoint_id)
        order by tenant_id, endpoint_id limit 1
      ) as following
    )
    select waiting.tenant_id as "tenantId", waiting.endpoint_id as "endpointId",
      open.max_per_second as "maxPerSecond", open.max_in_flight as "maxInFlight", open.failures, open.resting
    from waiting
    cross join lateral ( -- one by one: a hash join would answer them in its own order, and some of them never
      select endpoint.max_per_second, endpoint.max_in_flight, coalesce(failure.failure_count, 0) as failures, resting
      from endpoint left join endpoint_failure failure
        on failure.tenant_id = endpoint.tenant_id and failure.endpoint_id = endpoint.id
      cross join lateral (select coalesce(failure.rest_until > ${now}, false) as resting) as rest
      where endpoint.tenant_id = waiting.tenant_id and endpoint.id = waiting.endpoint_id
        and endpoint.paused_at is null and endpoint.disabled_at is null
        and endpoint.listener_name is null -- its client asks for its own
        and (not resting or (
          select true from delivery_due due
          where due.tenant_id = waiting.tenant_id and due.endpoint_id = waiting.endpoint_id
            and due.next_attempt_at = ${AT_ONCE} and (due.lease_until is null or due.lease_until <= ${now})
          limit 1
        ))
      offset 0
    ) as open
    limit ${ENDPOINTS_MAX}`.execute(app.workerDb);
  return rows;
}

type LimitedTurn = CappedTurn & { limit: number };

/** Caps hold over all processes: those who claim from a capped endpoint do so one after the other. */
function claimWithin(app: App, turns: readonly LimitedTurn[], room: ClaimRoom): Promise<ClaimedDelivery[]> {
  const open = turns.filter(({ limit }) => limit > 0);
  if (!open.some(isCapped)) return claimOf(app, app.workerDb, open, room);
  return app.workerDb.transaction().execute(async (tx) => {
    const { allowed, paces } = await withinCaps(tx, open, app.clock.now());
    const claimed = await claimOf(app, tx, allowed, room);
    await notePaces(tx, paces, claimed);
    return claimed;
  });
}

/**
 * The rows to claim are locked in the order of the queue's index, as few as are asked for: what an endpoint has waiting
 * beyond that is not looked at. Of what is looked at, only what is under way is left out.
 */
async function claimOf(
  app: App,
  db: Db | Tx,
  turns: readonly LimitedTurn[],
  room: ClaimRoom,
): Promise<ClaimedDelivery[]> {
  if (turns.length === 0) return [];
  const now = app.clock.now();
  const lease = { lease_until: plusMs(now, app.config.deliveryLeaseMs), lease_token: randomUUID() };
  const { rows } = await sql<Omit<ClaimedDelivery, keyof typeof lease>>`
    with found as (
      select locked.*, turn.tenant_limit, turn.failing,
        row_number() over (partition by turn.endpoint_id order by locked.next_attempt_at, locked.delivery_id) as place
      from unnest(
        ${turns.map((one) => one.tenantId)}::uuid[], ${turns.map((one) => one.endpointId)}::uuid[],
        ${turns.map((one) => one.limit)}::integer[], ${turns.map((one) => room.ofTenant(one.tenantId))}::integer[],
        ${turns.map((one) => one.failures > 0)}::boolean[],
        ${turns.map((one) => (one.resting ? "-infinity" : now.toISOString()))}::timestamptz[]
      ) as turn (tenant_id, endpoint_id, endpoint_limit, tenant_limit, failing, due_until)
      cross join lateral (
        select due.ctid as row, due.tenant_id, due.delivery_id, due.next_attempt_at,
          due.lease_until is not null as recovered
        from delivery_due due
        where due.tenant_id = turn.tenant_id and due.endpoint_id = turn.endpoint_id
          and due.next_attempt_at <= turn.due_until
          and (due.lease_until is null or due.lease_until <= ${now})
        order by due.next_attempt_at, due.delivery_id
        limit turn.endpoint_limit
        for update skip locked
      ) as locked
    ), ranked as (
      select *, row_number() over (partition by tenant_id order by place, next_attempt_at, delivery_id) as tenant_place
      from found
    ), chosen as (
      select row, tenant_id, delivery_id, place, failing, recovered from ranked where tenant_place <= tenant_limit
      order by place, next_attempt_at, delivery_id
      limit ${room.free()}
    ), claimed as (
      update delivery_due due set lease_until = ${lease.lease_until}, lease_token = ${lease.lease_token}
      where due.ctid = any(array(select row from chosen)) -- locked: one that was changed a moment ago is left to the next claim
      returning due.*
    )
    select c.tenant_id, c.delivery_id as id, c.endpoint_id, c.event_id, c.sequence, c.attempt_count, c.attempt_base,
      chosen.failing as endpoint_failing, c.lane is not null as in_lane,
      c.next_attempt_at = ${AT_ONCE} as by_hand, chosen.recovered,
      e.type, e.occurred_at, e.data, e.trace
    from claimed c
    join chosen using (tenant_id, delivery_id)
    cross join lateral ( -- by key, whatever the planner thinks of the claim's size
      select type, occurred_at, data, trace from outbox_event event
      where event.tenant_id = c.tenant_id and event.id = c.event_id
      offset 0
    ) as e
    order by chosen.place, c.delivery_id`.execute(db);
  return rows.map((row) => Object.assign(row, lease));
}
