import { create } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import {
  HeartbeatSchema,
  TailAttemptSchema,
  type TailDeliveriesRequest,
  type TailDeliveriesResponse,
  TailDeliveriesResponseSchema,
  TailReadySchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { DeliveryAttempt as AttemptRow } from "../db/tables.ts";
import { keyOfToken, tokenOfKey } from "../rpc/page.ts";
import { HEARTBEAT_MS, heartbeatInterval } from "../rpc/streams.ts";
import {
  type AttemptFilter,
  attemptFilter,
  type LogPlace,
  type LogReader,
  placeBeforeLast,
  placeOfNow,
  readLog,
} from "./attempt-log.ts";
import { readDeliveries, toAttempt, toDelivery } from "./delivery.ts";
import type { Lookout } from "./lookout.ts";

/**
 * Streams attempts as they are made. The log itself is what waits for a slow client: nothing is kept for one here but the
 * page that it reads.
 */
export async function* tailDeliveries(
  app: App,
  lookout: Lookout<LogReader, true>,
  tenantId: string,
  request: TailDeliveriesRequest,
  ended: AbortSignal,
): AsyncIterable<TailDeliveriesResponse> {
  const scope = { tenantId, list: "attempt_log" };
  const filter = attemptFilter(tenantId, request);
  const cursor = keyOfToken(app, scope, request.cursor, "cursor");
  let place = cursor
    ? (JSON.parse(cursor) as LogPlace)
    : await inTenant(app.db, tenantId, (tx) =>
        request.last > 0 ? placeBeforeLast(tx, filter, request.last) : placeOfNow(tx),
      );
  let heardAt = app.clock.now();
  const at = (where: LogPlace, message: TailDeliveriesResponse["message"]) => {
    heardAt = app.clock.now();
    return create(TailDeliveriesResponseSchema, { message, cursor: tokenOfKey(app, scope, JSON.stringify(where)) });
  };
  yield at(place, { case: "ready", value: create(TailReadySchema, { heartbeatInterval }) });
  while (!ended.aborted) {
    const { found, end, full } = await inTenant(app.db, tenantId, (tx) => readPage(tx, filter, place));
    for (const { where, value } of found) {
      if (ended.aborted) return;
      yield at(where, { case: "attempt", value });
    }
    place = end;
    if (full) continue;
    while (!ended.aborted && !(await lookout.next({ tenantId, place }, ended))) {
      if (app.clock.now() < plusMs(heardAt, HEARTBEAT_MS)) continue;
      yield at(place, { case: "heartbeat", value: create(HeartbeatSchema) });
    }
  }
}

/** The attempts of a page, each with its delivery. */
async function readPage(tx: Tx, filter: AttemptFilter, after: LogPlace) {
  const { places, end, full } = await readLog(tx, filter, after);
  if (places.length === 0) return { found: [], end, full };
  const { tenantId } = filter;
  const attempts = new Map(
    (await readAttempts(tx, tenantId, places)).map((row) => [keyOf(row.delivery_id, row.number), row]),
  );
  const ids = [...new Set(places.map((one) => one.deliveryId))];
  const deliveries = new Map((await readDeliveries(tx, tenantId, ids)).map((row) => [row.id, row]));
  const found = places.flatMap((where) => {
    const attempt = attempts.get(keyOf(where.deliveryId, where.number));
    const delivery = deliveries.get(where.deliveryId);
    if (!attempt || !delivery) return []; // dropped with its partition meanwhile
    return [
      { where, value: create(TailAttemptSchema, { delivery: toDelivery(delivery), attempt: toAttempt(attempt) }) },
    ];
  });
  return { found, end, full };
}

function keyOf(deliveryId: string, number: number): string {
  return `${deliveryId} ${number}`;
}

async function readAttempts(tx: Tx, tenantId: string, places: readonly LogPlace[]) {
  const { rows } = await sql<Selectable<AttemptRow>>`
    select a.* from unnest(
      ${places.map((one) => one.deliveryId)}::uuid[], ${places.map((one) => one.number)}::integer[]
    ) as place (delivery_id, number)
    join delivery_attempt a
      on a.tenant_id = ${tenantId} and a.delivery_id = place.delivery_id and a.number = place.number`.execute(tx);
  return rows;
}
