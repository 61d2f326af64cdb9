import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  UsageInterval,
  type UsagePoint,
  UsagePointSchema,
  type UsageSeries,
  UsageSeriesSchema,
} from "../../gen/usageflow/v1/usage_pb.ts";
import { type GetUsageRequest, GetUsageResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { invalid } from "../rpc/errors.ts";
import { knownTimeZone } from "../tenant/time-zone.ts";
import { countWindows, type WindowCount } from "./count-windows.ts";
import { dimensionProblem, placesOf, testsOf } from "./dimension.ts";
import { levelSeries } from "./level-series.ts";
import { getMetric, type MetricRow } from "./metric.ts";
import { toProgress } from "./usage-progress.ts";
import { wholeMillisecond } from "./usage-time.ts";
import { cutSpan, edgesOf, type NextEdge, type UsageWindow } from "./usage-window.ts";

// As many as a chart has room for; 41 days by the hour.
const POINTS_MAX = 1_000;
// In all groups together.
const GROUPED_POINTS_MAX = 10_000;

/** Finds the boundaries of a customer's billing periods: what only pricing knows. */
export type FindPeriodEdges = (tx: Tx, tenantId: string, customerId: string) => Promise<NextEdge>;

/** The usage of a metric as a series, and in total; and the same of each group of it. */
export function getUsage(app: App, tenantId: string, request: GetUsageRequest, findPeriodEdges: FindPeriodEdges) {
  const { interval, customerId, groupBy } = request;
  const timeZone = knownTimeZone("time_zone", request.timeZone || "UTC");
  const span = spanOf(request);
  return inTenant(app.db, tenantId, async (tx) => {
    const metric = await getMetric(tx, tenantId, request.metric);
    const problem = dimensionProblem(metric, request);
    if (problem) throw invalid(problem.field, problem.message);
    const nextEdge =
      interval === UsageInterval.PERIOD ? await findPeriodEdges(tx, tenantId, customerId) : edgesOf(interval, timeZone);
    const windows = cutSpan(span, nextEdge, POINTS_MAX + 1);
    if (windows.length > POINTS_MAX) {
      throw invalid("end", `the span has more than ${POINTS_MAX} points: shorten it, or take a longer interval`);
    }
    const tests = testsOf(metric, request.filter);
    const question = { customerId, span, windows, tests, groupBy: placesOf(metric, groupBy) };
    const { counts, progress } = await countWindows(tx, metric, question);
    const byGroup = Map.groupBy(counts, ({ values }) => values && JSON.stringify(values));
    const seriesOf = (its: readonly WindowCount[] = []) => toSeries(metric, span, windows, its);
    const { points, total } = seriesOf(byGroup.get(null));
    byGroup.delete(null);
    if (byGroup.size * windows.length > GROUPED_POINTS_MAX) {
      const message = `${byGroup.size} groups have more than ${GROUPED_POINTS_MAX} points: shorten the span, or filter`;
      throw invalid("group_by", message);
    }
    const groups = [...byGroup.values()].filter(isUsed).map((its) => ({
      ...seriesOf(its),
      dimensions: Object.fromEntries(groupBy.map((property, i) => [property, its[0]?.values?.[i] ?? ""])),
    }));
    return create(GetUsageResponseSchema, {
      points,
      ...(total ? { total } : {}),
      groups,
      progress: toProgress(progress),
    });
  });
}

function spanOf(request: GetUsageRequest): UsageWindow {
  const start = wholeMillisecond("start", request.start as Timestamp); // the contract requires both
  const end = wholeMillisecond("end", request.end as Timestamp);
  if (end <= start) throw invalid("end", "must be after start");
  return { start, end };
}

/** Whether a group was used in the span, or has a level there. */
function isUsed(counts: readonly WindowCount[]): boolean {
  return counts.some(({ event_count, place, change }) => event_count > 0n || (place === 0 && Number(change) !== 0));
}

function toSeries(
  metric: MetricRow,
  span: UsageWindow,
  windows: readonly UsageWindow[],
  counts: readonly WindowCount[],
): UsageSeries {
  const countAt = new Map(counts.map((count) => [count.place, count]));
  const events = (place: number | null) => countAt.get(place)?.event_count ?? 0n;
  const quantities =
    metric.aggregation === "WEIGHTED_SUM"
      ? levelSeries(windows, (place) => levelChange(countAt.get(place)), levelBefore(metric, countAt.get(0)))
      : {
          points: windows.map((_, i) => countAt.get(i + 1)?.quantity ?? "0"),
          total: countAt.get(null)?.quantity ?? "0",
        };
  return create(UsageSeriesSchema, {
    points: windows.map((window, i) => toPoint(window, quantities.points[i] ?? "0", events(i + 1))),
    total: toPoint(span, quantities.total, events(null)),
  });
}

function levelChange(count: WindowCount | undefined) {
  return count && { change: count.change ?? "0", levelSeconds: count.level_seconds ?? "0" };
}

function levelBefore({ carry_over }: MetricRow, before: WindowCount | undefined): string | undefined {
  return carry_over ? (before?.change ?? "0") : undefined;
}

function toPoint({ start, end }: UsageWindow, quantity: string, eventCount: bigint): UsagePoint {
  return create(UsagePointSchema, {
    start: timestampFromDate(start),
    end: timestampFromDate(end),
    quantity,
    eventCount,
  });
}
