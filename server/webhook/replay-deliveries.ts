import { type RawBuilder, sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { eventTypes } from "../outbox/event-type.ts";
import { turnOf } from "../tenants-in-turn.ts";
import type { DeliveryRow } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { receives } from "./event-filter.ts";
import { type ReplayRow, waitingOf } from "./replay.ts";
import { EVENT_IS_KEPT, replayAgain } from "./send-again.ts";

/** Time between two passes: how long deliveries that were handed over have before it is looked how many still wait. */
export const REPLAY_REST_MS = 250;
const REPLAYS_MAX = 1_000; // of one pass
const BATCH_MAX = 1_024;
// Deliveries that are looked at by one statement, and how many times by one turn: a replay may be about few of many, and its
// statements and transactions are short all the same.
const LOOK_CHUNK = 10_000;
const LOOK_CHUNKS = 10;

/** One pass over the replays that are under way, of all tenants: each hands over a batch. Answers 0 when there was nothing to do. */
export async function replayDeliveries(app: App, stop?: AbortSignal): Promise<number> {
  const running = await app.workerDb
    .selectFrom("replay")
    .innerJoin("endpoint", (join) =>
      join.onRef("endpoint.tenant_id", "=", "replay.tenant_id").onRef("endpoint.id", "=", "replay.endpoint_id"),
    )
    .select(["replay.tenant_id", "replay.id"])
    .where("replay.state", "=", "RUNNING")
    // What is handed over to an endpoint that is stopped only waits. One that is deleted ends its replays.
    .where(({ eb, and, or }) =>
      or([
        and([eb("endpoint.paused_at", "is", null), eb("endpoint.disabled_at", "is", null)]),
        eb("endpoint.deleted_at", "is not", null),
      ]),
    )
    .orderBy("replay.tenant_id")
    .orderBy("replay.id")
    .limit(REPLAYS_MAX)
    .execute();
  let done = 0;
  for (const { tenant_id, id } of running) {
    if (stop?.aborted) break;
    done += await turnOf(app, "replay", tenant_id, () =>
      inTenant(app.workerDb, tenant_id, (tx) => turn(app, tx, tenant_id, id)),
    );
  }
  return done;
}

/** One turn of a replay, unless another worker is at it. */
async function turn(app: App, tx: Tx, tenantId: string, id: string): Promise<number> {
  const replay = await tx
    .selectFrom("replay")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .where("state", "=", "RUNNING")
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!replay) return 0;
  const now = app.clock.now();
  const waiting = Number(await waitingOf(tx, replay, now));
  const batchSize = nextBatchSize(replay.batch_size, waiting);
  const room = batchSize - waiting;
  // What is live goes first.
  if (room <= 0 || (await othersWait(tx, replay, now))) {
    if (batchSize !== replay.batch_size) await save(tx, replay, { batch_size: batchSize });
    return 0;
  }
  const { ids, looked, place, ended } = await look(tx, replay, room);
  // Locked, so that what waits for it is not given up beside this.
  const endpoint = await lockEndpoint(tx, tenantId, replay.endpoint_id);
  if (!endpoint) {
    await save(tx, replay, { state: "CANCELLED", completed_at: now });
    return 1;
  }
  const handed = await replayAgain(tx, replay, endpoint, ids, now);
  await save(tx, replay, {
    batch_size: batchSize,
    done_count: replay.done_count + BigInt(handed),
    ...(place && { after_created_at: place.created_at, after_id: place.id }),
    ...(ended && { state: "COMPLETED", completed_at: now }),
  });
  return looked;
}

/**
 * How many may wait to be sent: twice as many when all were sent since the last look, half when most were not. So what is
 * live finds little before it, and an endpoint that is quick gets much.
 */
export function nextBatchSize(size: number, waiting: number): number {
  if (waiting === 0) return Math.min(size * 2, BATCH_MAX);
  return waiting * 2 > size ? Math.max(1, size >> 1) : size;
}

/** Whether the endpoint has deliveries to send now that no replay handed over. */
async function othersWait(tx: Tx, { tenant_id, endpoint_id }: ReplayRow, now: Date): Promise<boolean> {
  const other = await tx
    .selectFrom("delivery_due")
    .select("delivery_id")
    .where("tenant_id", "=", tenant_id)
    .where("endpoint_id", "=", endpoint_id)
    .where("next_attempt_at", "<=", now)
    .where("replay_id", "is", null)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

type Place = Pick<DeliveryRow, "id" | "created_at">;

/** The next `room` deliveries that a replay is about, from its place on, and the place after them. */
async function look(tx: Tx, replay: ReplayRow, room: number) {
  const ids: string[] = [];
  let place: Place | undefined =
    replay.after_created_at && replay.after_id
      ? { created_at: replay.after_created_at, id: replay.after_id }
      : undefined;
  for (let chunk = 1; chunk <= LOOK_CHUNKS; chunk++) {
    const last = await endOfChunk(tx, replay, place);
    const found = await wanted(tx, replay, [place, last], room - ids.length);
    ids.push(...found.map((delivery) => delivery.id));
    if (ids.length === room) return { ids, looked: chunk, place: found.at(-1), ended: false };
    if (!last) return { ids, looked: chunk, place: found.at(-1) ?? place, ended: true };
    place = last;
  }
  return { ids, looked: LOOK_CHUNKS, place, ended: false };
}

/** The last delivery of the next chunk, or undefined when fewer are left. The index alone knows. */
async function endOfChunk(tx: Tx, replay: ReplayRow, place: Place | undefined): Promise<Place | undefined> {
  const { rows } = await sql<Place>`
    select created_at, id from delivery where ${between(replay, place)}
    order by created_at, id offset ${LOOK_CHUNK - 1} limit 1`.execute(tx);
  return rows[0];
}

async function wanted(
  tx: Tx,
  replay: ReplayRow,
  [place, last]: [Place | undefined, Place | undefined],
  limit: number,
): Promise<Place[]> {
  const types = eventTypes.filter((type) => receives(replay.event_types, type));
  const { rows } = await sql<Place>`
    select created_at, id from delivery
    where ${between(replay, place)}
      and state = any(${replay.delivery_states}::text[]) and event_type = any(${types}::text[])
      and ${EVENT_IS_KEPT}
      ${last ? sql`and (created_at, id) <= (${last.created_at}::timestamptz, ${last.id}::uuid)` : sql``}
    order by created_at, id limit ${limit}`.execute(tx);
  return rows;
}

/** Deliveries of a replay's endpoint and time that come after a place. */
function between(replay: ReplayRow, place: Place | undefined): RawBuilder<unknown> {
  const conditions = [
    sql`tenant_id = ${replay.tenant_id} and endpoint_id = ${replay.endpoint_id} and created_at < ${replay.end_at}`,
    ...(replay.start_at ? [sql`created_at >= ${replay.start_at}`] : []),
    ...(place ? [sql`(created_at, id) > (${place.created_at}::timestamptz, ${place.id}::uuid)`] : []),
  ];
  return sql.join(conditions, sql` and `);
}

async function save(tx: Tx, { tenant_id, id }: ReplayRow, changed: Partial<ReplayRow>): Promise<void> {
  await tx.updateTable("replay").set(changed).where("tenant_id", "=", tenant_id).where("id", "=", id).execute();
}
