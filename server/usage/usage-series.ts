import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { UsageInterval, type UsagePoint, UsagePointSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { type GetUsageRequest, GetUsageResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { invalid } from "../rpc/errors.ts";
import { knownTimeZone } from "../tenant/time-zone.ts";
import { getMetric, type MetricRow } from "./metric.ts";
import { type ProgressColumns, selectProgress, toProgress } from "./usage-progress.ts";
import { wholeHour } from "./usage-time.ts";
import { cutSpan, edgesOf, type NextEdge, type UsageWindow } from "./usage-window.ts";

// As many as a chart has room for; 41 days by the hour.
const POINTS_MAX = 1_000;

/** Finds the boundaries of a customer's billing periods: what only pricing knows. */
export type FindPeriodEdges = (tx: Tx, tenantId: string, customerId: string) => Promise<NextEdge>;

/** The usage of a metric as a series, and in total. */
export function getUsage(app: App, tenantId: string, request: GetUsageRequest, findPeriodEdges: FindPeriodEdges) {
  const { interval, customerId } = request;
  const timeZone = knownTimeZone("time_zone", request.timeZone || "UTC");
  const span = spanOf(request);
  return inTenant(app.db, tenantId, async (tx) => {
    const metric = await getMetric(tx, tenantId, request.metric);
    const nextEdge =
      interval === UsageInterval.PERIOD ? await findPeriodEdges(tx, tenantId, customerId) : edgesOf(interval, timeZone);
    const windows = cutSpan(span, nextEdge, POINTS_MAX + 1);
    if (windows.length > POINTS_MAX) {
      throw invalid("end", `the span has more than ${POINTS_MAX} points: shorten it, or take a longer interval`);
    }
    const { counts, progress } = await countWindows(tx, metric, customerId, span, windows);
    return create(GetUsageResponseSchema, {
      points: windows.map((window, i) => toPoint(window, counts.get(i + 1))),
      total: toPoint(span, counts.get(TOTAL)),
      progress: toProgress(progress),
    });
  });
}

function spanOf(request: GetUsageRequest): UsageWindow {
  const start = wholeHour("start", request.start as Timestamp); // the contract requires both
  const end = wholeHour("end", request.end as Timestamp);
  if (end <= start) throw invalid("end", "must be after start");
  return { start, end };
}

interface Count {
  quantity: string;
  event_count: bigint;
}

/** The place of the whole span; the windows have theirs from 1 on. */
const TOTAL = 0;

/**
 * Counts each window in which there is usage, and all of them together. One statement, so that all of it is of one
 * instant; and one pass over the buckets of the span, however many windows there are.
 */
async function countWindows(
  tx: Tx,
  metric: MetricRow,
  customerId: string,
  { start, end }: UsageWindow,
  windows: readonly UsageWindow[],
): Promise<{ counts: Map<number, Count>; progress: ProgressColumns }> {
  const usage = sql`
    tenant_id = ${metric.tenant_id} and metric = ${metric.key} and hour >= ${start} and hour < ${end}
    ${customerId === "" ? sql`` : sql`and customer_id = ${customerId}`}`;
  const place = sql`width_bucket(hour, ${windows.map((window) => window.start)}::timestamptz[]) as place`;
  const { rows } = await sql<Count & ProgressColumns & { place: number }>`
    with bucket as (
      select coalesce(place, ${TOTAL}) as place, sum(event_count) as event_count,
        sum(amount_sum) as amount_sum, max(amount_max) as amount_max
      from (select ${place}, event_count, amount_sum, amount_max from usage_bucket where ${usage}) as used
      group by grouping sets ((place), ())
    ), value as (
      select coalesce(place, ${TOTAL}) as place, count(distinct value) as value_count
      from (select ${place}, value from usage_value where ${usage}) as used
      group by grouping sets ((place), ())
    )
    select place, coalesce(event_count, 0)::bigint as event_count,
      coalesce(case ${metric.aggregation}
        when 'SUM' then trim_scale(amount_sum)
        when 'COUNT' then event_count
        when 'MAX' then trim_scale(amount_max)
        when 'UNIQUE' then value_count
      end, 0)::text as quantity,
      progress.*
    from bucket left join value using (place), (${selectProgress(metric.tenant_id)}) as progress`.execute(tx);
  const [first] = rows; // the total is always there
  if (!first) throw new Error("a count without a total");
  return { counts: new Map(rows.map((row) => [row.place, row])), progress: first };
}

function toPoint({ start, end }: UsageWindow, count?: Count): UsagePoint {
  return create(UsagePointSchema, {
    start: timestampFromDate(start),
    end: timestampFromDate(end),
    quantity: count?.quantity ?? "0",
    eventCount: count?.event_count ?? 0n,
  });
}
