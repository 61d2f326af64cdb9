import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { type DimensionTest, passesTests, valuesAt } from "./dimension.ts";
import { isFolded } from "./folded.ts";
import { hourSlices } from "./hour-slices.ts";
import type { MetricRow } from "./metric.ts";
import { selectBuckets, selectValues } from "./usage-bucket.ts";
import { type ProgressColumns, selectProgress } from "./usage-progress.ts";
import { levelSeconds, quantityOf } from "./usage-quantity.ts";
import type { UsageWindow } from "./usage-window.ts";

/** Which usage of a metric to count. */
export interface UsageQuestion {
  /** Empty: of all customers. */
  customerId: string;
  span: UsageWindow;
  /** Pieces that tile the span. */
  windows: readonly UsageWindow[];
  tests: readonly DimensionTest[];
  /** Places of the dimensions to group by. */
  groupBy: readonly number[];
}

/** What was used in a window, or in the whole span. */
export interface WindowCount {
  /** The window's number, from 1. 0: before the span, of a level that is carried over. Null: all windows. */
  place: number | null;
  /** Values of the group's dimensions. Null: all groups. */
  values: string[] | null;
  event_count: bigint;
  quantity: string;
  /** Of a level: what it changed by. */
  change: string | null;
  /** Of a level: what its changes come to by the end of the window, each times the seconds since. */
  level_seconds: string | null;
}

// More than an answer has room for, so that the rest need not be read.
const ROWS_MAX = 40_000;

/**
 * Counts each window in which there is usage, and all of them together. One statement, so that all of it is of one
 * instant; and one pass over the buckets of the span, however many windows there are.
 */
export async function countWindows(
  tx: Tx,
  metric: MetricRow,
  question: UsageQuestion,
): Promise<{ counts: WindowCount[]; progress: ProgressColumns }> {
  const { windows, span, tests, groupBy } = question;
  const place = sql`width_bucket(at, ${windows.map((window) => window.start)}::timestamptz[])`;
  const windowEnd = sql`(${windows.map((window) => window.end)}::timestamptz[])[place]`;
  const passing =
    tests.length === 0 ? sql`` : sql`where ${passesTests(sql`dimensions`, sql`${JSON.stringify(tests)}::jsonb`)}`;
  // A level's quantity is worked out from its windows, of which each builds on those before it.
  const quantity =
    metric.aggregation === "WEIGHTED_SUM"
      ? sql`'0' as quantity, sum(amount_sum)::text as change, sum(${levelSeconds(windowEnd)})::text as level_seconds`
      : sql`${quantityOf(metric.aggregation, { start: sql`${span.start}`, end: sql`${span.end}` })} as quantity,
          null as change, null as level_seconds`;
  const grouped = groupBy.length > 0;
  const sets = grouped ? sql`(place), (), ("values", place), ("values")` : sql`(place), ()`;
  const { rows } = await sql<WindowCount & ProgressColumns>`
    select place, "values", counted.event_count, quantity, change, level_seconds, progress.*
    from (
      select place, ${grouped ? sql`"values", grouping("values")` : sql`null::text[] as "values", 1`} as groups,
        grouping(place) as windows,
        coalesce(sum(event_count), 0)::bigint as event_count, ${quantity}
      from (
        select *, ${place} as place,
          ${valuesAt(sql`part.dimensions`, sql`${`{${groupBy}}`}::integer[]`)} as "values"
        from (${partsOf(metric, question)}) as part ${passing}
      ) as part
      group by grouping sets (${sets})
    ) as counted, (${selectProgress(metric.tenant_id)}) as progress
    order by groups desc, "values", windows desc, place
    limit ${ROWS_MAX}`.execute(tx);
  const [first] = rows; // the total is always there
  if (!first) throw new Error("a count without a total");
  return { counts: rows, progress: first };
}

/** The buckets, and parts of buckets, of the span; each lies in one window. */
function partsOf({ tenant_id, key, aggregation, carry_over }: MetricRow, { customerId, span, windows }: UsageQuestion) {
  const slices = hourSlices(
    [customerId],
    span,
    windows.map((window) => ({ customerId, ...window })),
  );
  const cutHours = slices.map((slice) => slice.hour);
  const usage = sql`tenant_id = ${tenant_id} and metric = ${key}
    ${customerId === "" ? sql`` : sql`and customer_id = ${customerId}`}`;
  const whole = sql`${usage} and hour >= ${span.start} and hour < ${span.end}
    ${slices.length === 0 ? sql`` : sql`and hour <> all (${cutHours}::timestamptz[])`}`;
  const ofSlice = sql`e.metric = ${key} ${customerId === "" ? sql`` : sql`and e.customer_id = ${customerId}`}
    and e.occurred_at >= slice.from_at and e.occurred_at < slice.to_at and ${isFolded(tenant_id)}`;
  const slice = sql`unnest(
    ${slices.map((one) => one.start)}::timestamptz[], ${slices.map((one) => one.end)}::timestamptz[]
  ) as slice (from_at, to_at)`;
  const bucket = sql`hour, dimensions, event_count, amount_sum, amount_max, amount_seconds, latest, null as value`;
  const value = sql`hour, dimensions, 0 as event_count, 0, 0, null, null, value`;
  const parts = [sql`select hour as at, ${bucket} from usage_bucket where ${whole}`];
  if (slices.length > 0) {
    parts.push(
      sql`select from_at, ${bucket} from ${slice} cross join lateral (${selectBuckets(tenant_id, ofSlice)}) as part`,
    );
  }
  if (aggregation === "UNIQUE") {
    parts.push(sql`select hour, ${value} from usage_value where ${whole}`);
    if (slices.length > 0) {
      parts.push(
        sql`select from_at, ${value} from ${slice} cross join lateral (${selectValues(tenant_id, ofSlice)}) as part`,
      );
    }
  }
  if (carry_over) {
    const level = sql`hour, dimensions, 0, amount_sum, 0, 0, null, null`;
    const before = sql`date_trunc('hour', ${span.start}::timestamptz, 'UTC')`;
    const cut = sql`e.metric = ${key} ${customerId === "" ? sql`` : sql`and e.customer_id = ${customerId}`}
      and e.occurred_at >= ${before} and e.occurred_at < ${span.start} and ${isFolded(tenant_id)}`;
    parts.push(sql`select '-infinity'::timestamptz, ${level} from usage_bucket where ${usage} and hour < ${before}`);
    parts.push(sql`select '-infinity'::timestamptz, ${level} from (${selectBuckets(tenant_id, cut)}) as part`);
  }
  return sql.join(parts, sql` union all `);
}
