import { type RawBuilder, sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { leaveWork, type Tx } from "../db/database.ts";
import { newId, parseId } from "../id.ts";
import type { DispatchedEvent, EventConsumer } from "../outbox/dispatch-events.ts";
import { receives } from "./event-filter.ts";
import { firstOf, HELD, laneOf } from "./lane.ts";
import { nextDelayMs } from "./retry-schedule.ts";

// Deliveries that are made in one transaction. While it lasts, no other tenant's events are dispatched.
const DELIVERIES_MAX = 500;

/** A delivery to make. */
export interface NewDelivery {
  id: string;
  event: Omit<DispatchedEvent, "trace">;
  endpointId: string;
  sequence: bigint;
  /** Of an ordered endpoint, lane.ts. */
  lane: string | null;
}

const TOLD_TO_OTHERS = ["endpoint.disabled", "delivery.exhausted"];

/** The consumer of the outbox that makes a delivery of each event for each endpoint that receives its type. */
export function fanOut(app: App): EventConsumer {
  const consume: EventConsumer["consume"] = async (tx, tenantId, events) => {
    const endpoints = await lockAllEndpoints(tx, tenantId);
    const subjects = await endpointsToldOf(tx, tenantId, events);
    const made = endpoints.flatMap((endpoint) =>
      events
        .filter((event) => receives(endpoint.event_types, event.type) && subjects.get(event.id) !== endpoint.id)
        .map((event, index) => ({
          id: newId(),
          event,
          endpointId: endpoint.id,
          sequence: endpoint.last_sequence + BigInt(index + 1),
          lane: endpoint.ordered ? laneOf(event.customer_id) : null,
        })),
    );
    if (made.length > 0) await insertDeliveries(app, tx, tenantId, made);
  };
  return { consume, eventsMax };
}

/** Fewer events at once, the more endpoints hear of each. */
async function eventsMax(tx: Tx, tenantId: string): Promise<number> {
  const { count } = await tx
    .selectFrom("endpoint")
    .select((query) => query.fn.countAll<bigint>().as("count"))
    .where("tenant_id", "=", tenantId)
    .where("deleted_at", "is", null)
    .executeTakeFirstOrThrow();
  return Math.max(1, Math.floor(DELIVERIES_MAX / Math.max(1, Number(count))));
}

/** Events that tell of an endpoint's failure, and that endpoint: it does not hear of it. */
async function endpointsToldOf(
  tx: Tx,
  tenantId: string,
  events: readonly DispatchedEvent[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const ids = events.filter(({ type }) => TOLD_TO_OTHERS.includes(type)).map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const rows = await tx
    .selectFrom("outbox_event")
    .select([
      "id",
      sql<string>`coalesce(data::jsonb #>> '{endpoint,id}', data::jsonb #>> '{delivery,endpointId}')`.as("of"),
    ])
    .where("tenant_id", "=", tenantId)
    .where("id", "in", ids)
    .execute();
  return new Map(rows.map((row) => [row.id, parseId("whe", row.of)]));
}

/** Locked in order of ids, endpoints give their sequences to one fan-out after the other, and no two wait for each other. */
function lockAllEndpoints(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("endpoint")
    .select(["id", "event_types", "last_sequence", "ordered"])
    .where("tenant_id", "=", tenantId)
    .where("deleted_at", "is", null)
    .orderBy("id")
    .forNoKeyUpdate()
    .execute();
}

/**
 * Makes deliveries for endpoints that the transaction has locked, in the order of their sequences. In a lane only the first
 * is due, and it is not while others wait there already.
 */
export async function insertDeliveries(
  app: App,
  tx: Tx,
  tenantId: string,
  made: readonly NewDelivery[],
  due: RawBuilder<Date> = firstAttemptAt(app),
): Promise<void> {
  const now = app.clock.now();
  await sql`
    with made as (
      select * from unnest(
        ${made.map((one) => one.id)}::uuid[], ${made.map((one) => one.event.id)}::uuid[],
        ${made.map((one) => one.event.type)}::text[], ${made.map((one) => one.event.customer_id)}::text[],
        ${made.map((one) => one.endpointId)}::uuid[], ${made.map((one) => one.sequence)}::bigint[],
        ${made.map((one) => one.lane)}::text[], ${areBehind(made)}::boolean[]
      ) as row (id, event_id, event_type, customer_id, endpoint_id, sequence, lane, behind)
    ), counted as (
      update endpoint set last_sequence = last.sequence
      from (select endpoint_id, max(sequence) as sequence from made group by endpoint_id) as last
      where endpoint.tenant_id = ${tenantId} and endpoint.id = last.endpoint_id
    ), logged as (
      insert into delivery (
        tenant_id, id, event_id, event_type, customer_id, endpoint_id, sequence, state, created_at
      )
      select ${tenantId}::uuid, id, event_id, event_type, customer_id, endpoint_id, sequence, 'PENDING',
        ${now}::timestamptz
      from made
    )
    insert into delivery_due (
      tenant_id, delivery_id, event_id, endpoint_id, sequence, lane, next_attempt_at, created_at
    )
    select ${tenantId}::uuid, id, event_id, endpoint_id, sequence, lane,
      case when behind or (lane is not null and (${firstOf(tenantId, sql`made`)}) is not null) then ${HELD} else ${due} end,
      ${now}::timestamptz
    from made`.execute(tx);
  leaveWork(tx, "deliver");
}

function firstAttemptAt(app: App): RawBuilder<Date> {
  const delay = nextDelayMs(app.config.deliveryScheduleMs, 0, Math.random()) ?? 0;
  return sql`${plusMs(app.clock.now(), delay)}::timestamptz`;
}

/** Of each delivery, whether one before it is in its lane. */
function areBehind(made: readonly NewDelivery[]): boolean[] {
  const lanes = new Set<string>();
  return made.map(({ endpointId, lane }) => {
    if (lane === null) return false;
    const before = lanes.size;
    return lanes.add(`${endpointId} ${lane}`).size === before;
  });
}
