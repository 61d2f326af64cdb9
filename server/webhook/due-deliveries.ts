import { sql } from "kysely";
import type { App } from "../app.ts";
import { Lookout } from "./lookout.ts";

// Deliveries that are streamed and not acknowledged, at most: with their bodies they wait in the client.
const UNDER_WAY_MAX = 64;

/** A stream that waits for what is due. */
export interface Listening {
  tenantId: string;
  endpointId: string;
  /** Of a customer, only the first of those that wait. */
  ordered: boolean;
  /** What it was streamed and may not have acknowledged: the attempts that were made before, by delivery. */
  underWay: ReadonlyMap<string, number>;
}

/** A delivery that is due. */
export interface DueDelivery {
  id: string;
  /** Attempts that were made. */
  attempt_count: number;
}

/** What a stream is to do. */
export interface Due {
  /** What is still under way, as in the question. */
  underWay: Map<string, number>;
  /** What to stream: as much as there is room for. */
  fresh: DueDelivery[];
}

/** Looks for what is due to listeners that are not paused: the first of each in the order of the sequence. */
export function createDueLookout(app: App): Lookout<Listening, Due> {
  return new Lookout(app, async (streams) => {
    const underWay = await stillUnderWay(app, streams);
    const due = await firstDue(app, streams);
    return new Map(
      streams.map((stream) => {
        const own = new Map(underWay.get(stream)?.map((one) => [one.id, one.attempt_count]));
        const others = (due.get(stream) ?? []).filter((one) => !own.has(one.id));
        return [stream, { underWay: own, fresh: others.slice(0, Math.max(0, UNDER_WAY_MAX - own.size)) }];
      }),
    );
  });
}

type DueRow = DueDelivery & { stream: bigint };

function byStream(streams: readonly Listening[], rows: DueRow[]): Map<Listening, DueRow[]> {
  return Map.groupBy(rows, ({ stream }) => streams[Number(stream) - 1] as Listening);
}

/** Whether it is due or not: what was streamed stays so while its endpoint is paused, or others come before it again. */
async function stillUnderWay(app: App, streams: readonly Listening[]): Promise<Map<Listening, DueRow[]>> {
  const streamed = streams.flatMap(({ tenantId, underWay }, index) =>
    Array.from(underWay, ([id, attempts]) => ({ stream: index + 1, tenantId, id, attempts })),
  );
  if (streamed.length === 0) return new Map();
  const { rows } = await sql<DueRow>`
    select streamed.stream, due.* from unnest(
      ${streamed.map((one) => one.stream)}::bigint[], ${streamed.map((one) => one.tenantId)}::uuid[],
      ${streamed.map((one) => one.id)}::uuid[], ${streamed.map((one) => one.attempts)}::integer[]
    ) as streamed (stream, tenant_id, id, attempt_count)
    cross join lateral ( -- by key, whatever the planner thinks of the queue
      select delivery_id as id, attempt_count from delivery_due
      where tenant_id = streamed.tenant_id and delivery_id = streamed.id and attempt_count = streamed.attempt_count
      limit 1
    ) as due`.execute(app.workerDb);
  return byStream(streams, rows);
}

/** Twice as many as may be under way: when all of those are among them, as many again. */
async function firstDue(app: App, streams: readonly Listening[]): Promise<Map<Listening, DueRow[]>> {
  const now = app.clock.now();
  const { rows } = await sql<DueRow>`
    select stream.number as stream, due.delivery_id as id, due.attempt_count
    from unnest(
      ${streams.map((one) => one.tenantId)}::uuid[], ${streams.map((one) => one.endpointId)}::uuid[],
      ${streams.map((one) => one.ordered)}::boolean[]
    ) with ordinality as stream (tenant_id, endpoint_id, ordered, number)
    join endpoint on endpoint.tenant_id = stream.tenant_id and endpoint.id = stream.endpoint_id
      and endpoint.paused_at is null
    cross join lateral (
      (select delivery_id, attempt_count, sequence from delivery_due due
        where due.tenant_id = stream.tenant_id and due.endpoint_id = stream.endpoint_id
          and due.next_attempt_at <= ${now} and not stream.ordered
        order by sequence limit ${UNDER_WAY_MAX * 2})
      union all
      (select delivery_id, attempt_count, sequence from (${firstOfEachCustomer()}) as first
        where first.next_attempt_at <= ${now}
        order by sequence limit ${UNDER_WAY_MAX * 2})
    ) as due
    order by due.sequence`.execute(app.workerDb);
  return byStream(streams, rows);
}

/** Of what waits for an ordered stream: the first about each customer, and all that are about no single one. */
function firstOfEachCustomer() {
  return sql`
    select distinct on (d.customer_id, case when d.customer_id is null then d.id end) due.*
    from delivery_due due
    cross join lateral ( -- by key, each in its week
      select id, customer_id from delivery where tenant_id = due.tenant_id and id = due.delivery_id offset 0
    ) as d
    where due.tenant_id = stream.tenant_id and due.endpoint_id = stream.endpoint_id and stream.ordered
    order by d.customer_id, case when d.customer_id is null then d.id end, due.sequence`;
}

/** A delivery with its event, to hand on. */
export interface ReadDelivery extends DueDelivery {
  tenant_id: string;
  endpoint_id: string;
  event_id: string;
  customer_id: string | null;
  sequence: bigint;
  type: string;
  occurred_at: Date;
  data: string;
}

/** The deliveries with their events, in the order in which they are named; without what is over meanwhile. */
export async function readDue(app: App, tenantId: string, keys: readonly DueDelivery[]): Promise<ReadDelivery[]> {
  const { rows } = await sql<ReadDelivery>`
    select due.tenant_id, due.delivery_id as id, due.endpoint_id, due.event_id, due.sequence, due.attempt_count,
      event.customer_id, event.type, event.occurred_at, event.data
    from unnest(
      ${keys.map((one) => one.id)}::uuid[], ${keys.map((one) => one.attempt_count)}::integer[]
    ) with ordinality as key (id, attempt_count, number)
    join delivery_due due
      on due.tenant_id = ${tenantId} and due.delivery_id = key.id and due.attempt_count = key.attempt_count
    cross join lateral ( -- by key, each in its week
      select customer_id, type, occurred_at, data from outbox_event
      where tenant_id = due.tenant_id and id = due.event_id offset 0
    ) as event
    order by key.number`.execute(app.workerDb);
  return rows;
}
