import { sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { turnOf } from "../tenants-in-turn.ts";
import type { DeliveryRow } from "./delivery.ts";
import { lockEndpoint } from "./endpoint.ts";
import { receives } from "./event-filter.ts";
import { type ReplayRow, waitingOf } from "./replay.ts";
import { sendAgain } from "./send-again.ts";

/** Time between two passes: how long deliveries that were handed over have before it is looked how many still wait. */
export const REPLAY_REST_MS = 250;
const REPLAYS_MAX = 1_000; // of one pass
const BATCH_MAX = 1_024;
// Deliveries that are looked at in one statement, and by one turn of a replay that finds few of those that it is about.
const LOOK_CHUNK = 1_000;
const LOOK_MAX = 50_000;

/** One pass over the replays that are under way, of all tenants: each hands over a batch. Answers how many were looked at. */
export async function replayDeliveries(app: App, stop?: AbortSignal): Promise<number> {
  const running = await app.workerDb
    .selectFrom("replay")
    .select(["tenant_id", "id"])
    .where("state", "=", "RUNNING")
    .orderBy("tenant_id")
    .orderBy("id")
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
    await save(tx, replay, { batch_size: batchSize });
    return 0;
  }
  const { ids, looked, place, ended } = await look(tx, replay, room);
  // Locked, so that what waits for it is not given up beside this.
  if (!(await lockEndpoint(tx, tenantId, replay.endpoint_id))) {
    await save(tx, replay, { state: "CANCELLED", completed_at: now });
    return 1;
  }
  await sendAgain(tx, tenantId, ids, now, replay.id);
  await save(tx, replay, {
    batch_size: batchSize,
    done_count: replay.done_count + BigInt(ids.length),
    ...(place && { after_created_at: place.created_at, after_id: place.id }),
    ...(ended && { state: "COMPLETED", completed_at: now }),
  });
  return looked + 1;
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
    .selectFrom("delivery")
    .select("id")
    .where("tenant_id", "=", tenant_id)
    .where("endpoint_id", "=", endpoint_id)
    .where("state", "=", "PENDING")
    .where("next_attempt_at", "<=", now)
    .where("replay_id", "is", null)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

type Looked = Pick<DeliveryRow, "id" | "created_at" | "state" | "event_type">;

/** The next `room` deliveries that a replay is about, from its place on, and the place after them. */
async function look(tx: Tx, replay: ReplayRow, room: number) {
  const ids: string[] = [];
  let place: Looked | undefined;
  for (let looked = 0; looked < LOOK_MAX; ) {
    const chunk = await deliveriesAfter(tx, replay, place);
    for (const delivery of chunk) {
      place = delivery;
      looked++;
      if (!replay.delivery_states.includes(delivery.state) || !receives(replay.event_types, delivery.event_type))
        continue;
      if (ids.push(delivery.id) === room) return { ids, looked, place, ended: false };
    }
    if (chunk.length < LOOK_CHUNK) return { ids, looked, place, ended: true };
  }
  return { ids, looked: LOOK_MAX, place, ended: false };
}

async function deliveriesAfter(tx: Tx, replay: ReplayRow, place: Looked | undefined): Promise<Looked[]> {
  const [createdAt, id] = place ? [place.created_at, place.id] : [replay.after_created_at, replay.after_id];
  const conditions = [
    sql`tenant_id = ${replay.tenant_id} and endpoint_id = ${replay.endpoint_id} and created_at < ${replay.end_at}`,
    ...(replay.start_at ? [sql`created_at >= ${replay.start_at}`] : []),
    ...(createdAt ? [sql`(created_at, id) > (${createdAt}::timestamptz, ${id}::uuid)`] : []),
  ];
  const { rows } = await sql<Looked>`
    select id, created_at, state, event_type from delivery
    where ${sql.join(conditions, sql` and `)}
    order by created_at, id limit ${LOOK_CHUNK}`.execute(tx);
  return rows;
}

async function save(tx: Tx, { tenant_id, id }: ReplayRow, changed: Partial<ReplayRow>): Promise<void> {
  await tx.updateTable("replay").set(changed).where("tenant_id", "=", tenant_id).where("id", "=", id).execute();
}
