import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { eventColumns, placeOf, type UsageEventRow } from "./usage-event.ts";
import { toMicroseconds } from "./usage-time.ts";

/** Which events: of a customer or of all, in a span of time. */
export interface EventScope {
  tenantId: string;
  customerId?: string;
  start?: Timestamp | undefined;
  end?: Timestamp | undefined;
}

/** An event's place among those of its scope. */
export function pagePlaceOf(row: UsageEventRow): string {
  return `${row.metric} ${placeOf(row)}`;
}

/**
 * The next events after a place, one metric after the other and each by time: the order of an index, so that a page costs
 * what it holds, whatever is stored.
 */
export async function readEvents(
  tx: Tx,
  scope: EventScope,
  after: string | undefined,
  limit: number,
): Promise<UsageEventRow[]> {
  const [metric = "", time, ...key] = after?.split(" ") ?? [];
  const rows: UsageEventRow[] = [];
  for (const one of await metricsFrom(tx, scope.tenantId, metric)) {
    const place = one === metric && time ? { time, key: key.join(" ") } : undefined;
    rows.push(...(await eventsOf(tx, scope, one, place, limit - rows.length)));
    if (rows.length === limit) break;
  }
  return rows;
}

async function metricsFrom(tx: Tx, tenantId: string, first: string): Promise<string[]> {
  const metrics = tx.selectFrom("metric").select("key").where("tenant_id", "=", tenantId).where("key", ">=", first);
  return (await metrics.orderBy("key").execute()).map((row) => row.key);
}

async function eventsOf(
  tx: Tx,
  { tenantId, customerId, start, end }: EventScope,
  metric: string,
  place: { time: string; key: string } | undefined,
  limit: number,
): Promise<UsageEventRow[]> {
  const conditions = [
    sql`tenant_id = ${tenantId} and metric = ${metric}`,
    ...(customerId === undefined ? [] : [sql`customer_id = ${customerId}`]),
    ...(start ? [sql`occurred_at >= ${toMicroseconds(start)}`] : []),
    ...(end ? [sql`occurred_at < ${toMicroseconds(end)}`] : []),
    ...(place ? [sql`(occurred_at, idempotency_key) > (${place.time}::timestamptz, ${place.key})`] : []),
  ];
  const { rows } = await sql<UsageEventRow>`
    select ${eventColumns} from usage_event where ${sql.join(conditions, sql` and `)}
    order by occurred_at, idempotency_key limit ${limit}`.execute(tx);
  return rows;
}
