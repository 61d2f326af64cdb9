import { type RawBuilder, sql } from "kysely";
import { StatusClass } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { TailDeliveriesRequest } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { NIL_ID, parseId } from "../id.ts";
import { typesOf } from "./event-filter.ts";
import { Lookout } from "./lookout.ts";

// Attempts of a tenant in the order of the transactions that made them. All of a transaction below the oldest that is still
// under way are there, so a reader that stays below it and goes on from its place misses none, and sees none twice.

/** A place in the log: an attempt, or one that could be. */
export interface LogPlace {
  /** Of the transaction, as PostgreSQL counts them. */
  xid: string;
  deliveryId: string;
  number: number;
}

// The delivery of an attempt, by key, each in its week.
const DELIVERY = sql`
  select endpoint_id, event_type, customer_id from delivery where tenant_id = a.tenant_id and id = a.delivery_id offset 0`;
const OVER = sql`pg_snapshot_xmin(pg_current_snapshot())`;
// Attempts of one page, whether they match or not: what a filter throws away is read too.
const PAGE_SIZE = 200;
// How far the last attempts that match are looked for.
const LAST_MAX = 10_000;

/** Which attempts to read. */
export interface AttemptFilter {
  tenantId: string;
  /** Conditions on `a`, the attempt, and `d`, its delivery. */
  conditions: readonly RawBuilder<unknown>[];
}

const CLASSES: Record<StatusClass, RawBuilder<unknown> | undefined> = {
  [StatusClass.UNSPECIFIED]: undefined,
  [StatusClass.NONE]: sql`a.status = 0`,
  [StatusClass.SUCCESS]: sql`a.status between 200 and 299`,
  [StatusClass.REDIRECT]: sql`a.status between 300 and 399`,
  [StatusClass.CLIENT_ERROR]: sql`a.status between 400 and 499`,
  [StatusClass.SERVER_ERROR]: sql`a.status >= 500`,
};

/** What a request asks for. Refuses patterns that no event type matches. */
export function attemptFilter(tenantId: string, request: TailDeliveriesRequest): AttemptFilter {
  const { endpointId, eventTypes, customerId, statusClass } = request;
  const types = typesOf(eventTypes);
  const ofStatus = CLASSES[statusClass];
  return {
    tenantId,
    conditions: [
      sql`true`,
      ...(endpointId ? [sql`d.endpoint_id = ${parseId("whe", endpointId) ?? NIL_ID}`] : []),
      ...(eventTypes.length > 0 ? [sql`d.event_type = any(${types}::text[])`] : []),
      ...(customerId ? [sql`d.customer_id = ${customerId}`] : []),
      ...(ofStatus ? [ofStatus] : []),
    ],
  };
}

interface LogRow {
  xid: string;
  delivery_id: string;
  number: number;
  matches: boolean;
}

const toPlace = ({ xid, delivery_id, number }: LogRow): LogPlace => ({ xid, deliveryId: delivery_id, number });

/** The place behind all that is in the log. */
export async function placeOfNow(tx: Tx): Promise<LogPlace> {
  const { rows } = await sql<{ xid: string }>`select ${OVER}::text as xid`.execute(tx);
  return { xid: rows[0]?.xid ?? "0", deliveryId: NIL_ID, number: 0 };
}

/** The place before the last `count` attempts that match. */
export async function placeBeforeLast(tx: Tx, filter: AttemptFilter, count: number): Promise<LogPlace> {
  const now = await placeOfNow(tx);
  const { rows } = await sql<LogRow>`
    select a.xid, a.delivery_id, a.number, true as matches
    from (
      select * from delivery_attempt
      where tenant_id = ${filter.tenantId} and xid < ${now.xid}::xid8
      order by xid desc, delivery_id desc, number desc limit ${LAST_MAX}
    ) a
    cross join lateral (${DELIVERY}) as d
    where ${sql.join(filter.conditions, sql` and `)}
    order by a.xid desc, a.delivery_id desc, a.number desc limit ${count}`.execute(tx);
  const first = rows.at(-1);
  return first ? { ...toPlace(first), number: first.number - 1 } : now;
}

/** A page of the log. */
export interface LogPage {
  /** Those that match. */
  places: LogPlace[];
  /** Up to where it was read. */
  end: LogPlace;
  /** Whether there may be more. */
  full: boolean;
}

/** The attempts after a place. */
export async function readLog(tx: Tx, { tenantId, conditions }: AttemptFilter, after: LogPlace): Promise<LogPage> {
  const { rows } = await sql<LogRow>`
    select a.xid, a.delivery_id, a.number, (${sql.join(conditions, sql` and `)}) is true as matches
    from (
      select * from delivery_attempt
      where tenant_id = ${tenantId} and xid < ${OVER} and xid >= ${after.xid}::xid8
        and (xid, delivery_id, number) > (${after.xid}::xid8, ${after.deliveryId}::uuid, ${after.number}::integer)
      order by xid, delivery_id, number limit ${PAGE_SIZE}
    ) a
    cross join lateral (${DELIVERY}) as d
    order by a.xid, a.delivery_id, a.number`.execute(tx);
  const last = rows.at(-1);
  return {
    places: rows.filter((row) => row.matches).map(toPlace),
    end: last ? toPlace(last) : after,
    full: rows.length === PAGE_SIZE,
  };
}

/** A reader that waits for attempts after its place. */
export interface LogReader {
  tenantId: string;
  place: LogPlace;
}

/** Looks for readers that have something to read. */
export function createLogLookout(app: App): Lookout<LogReader, true> {
  return new Lookout(app, async (readers) => {
    const { rows } = await sql<{ reader: bigint }>`
      select reader from unnest(
        ${readers.map((one) => one.tenantId)}::uuid[], ${readers.map((one) => one.place.xid)}::xid8[],
        ${readers.map((one) => one.place.deliveryId)}::uuid[], ${readers.map((one) => one.place.number)}::integer[]
      ) with ordinality as after (tenant_id, xid, delivery_id, number, reader)
      where exists (
        select from delivery_attempt a
        where a.tenant_id = after.tenant_id and a.xid < ${OVER} and a.xid >= after.xid
          and (a.xid, a.delivery_id, a.number) > (after.xid, after.delivery_id, after.number)
      )`.execute(app.workerDb);
    return new Map(rows.map(({ reader }) => [readers[Number(reader) - 1] as LogReader, true]));
  });
}
