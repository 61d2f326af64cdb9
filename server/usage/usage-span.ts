import { type RawBuilder, sql } from "kysely";
import type { DimensionTest } from "./dimension.ts";

/** Usage to count: one customer's of one metric, from `start` up to, and without, `end`. */
export interface UsageSpan {
  customerId: string;
  metric: string;
  /** How the metric counts, as its row says. */
  aggregation: string;
  /** Whether a level begins at what it came to before `start`. Not given: it begins at 0. */
  carryOver?: boolean;
  start: Date;
  end: Date;
  /** What the values of its dimensions must be. Not given: anything. */
  tests?: readonly DimensionTest[];
  /** Places of the dimensions by whose values it is told apart. Not given: it is one group. */
  groupBy?: readonly number[];
}

/** What one group used of a span. */
export interface UsageGroup {
  /** Values of the dimensions that the span is grouped by, in that order. */
  values: string[];
  /** A decimal. */
  quantity: string;
}

export interface UsageTotals {
  /** Of each span in the order given, its groups in the order of their values. One that is not grouped has one group. */
  groups: UsageGroup[][];
  /** The last fold that these quantities count. */
  foldNumber: bigint;
}

/** The groups of one span, as statements answer them: its number, from 1, then values and quantity. */
export type GroupRow = [number: number, values: string[], quantity: string];

/** Puts groups to their spans. A span that is not grouped has its one group without usage too. */
export function groupsOf(spans: readonly UsageSpan[], rows: readonly GroupRow[]): UsageGroup[][] {
  const found = Map.groupBy(rows, ([number]) => number);
  return spans.map(({ groupBy = [] }, i) => {
    const groups = found.get(i + 1)?.map(([, values, quantity]) => ({ values, quantity })) ?? [];
    return groups.length === 0 && groupBy.length === 0 ? [{ values: [], quantity: "0" }] : groups;
  });
}

/** Spans as rows of a statement, numbered from 1. `first_hour` and `last_hour` bound the whole hours in each. */
export function spanRows(spans: readonly UsageSpan[]) {
  return sql`
    select customer, metric_key, aggregation, carry_over, start_at, end_at, tests, places::integer[] as places, number,
      date_trunc('hour', start_at + interval '1 hour' - interval '1 microsecond', 'UTC') as first_hour,
      date_trunc('hour', end_at, 'UTC') as last_hour
    from unnest(
      ${spans.map((span) => span.customerId)}::text[],
      ${spans.map((span) => span.metric)}::text[],
      ${spans.map((span) => span.aggregation)}::text[],
      ${spans.map((span) => span.carryOver === true)}::boolean[],
      ${spans.map((span) => span.start)}::timestamptz[],
      ${spans.map((span) => span.end)}::timestamptz[],
      ${spans.map((span) => JSON.stringify(span.tests ?? []))}::jsonb[],
      ${spans.map((span) => `{${span.groupBy ?? []}}`)}::text[]
    ) with ordinality as given (customer, metric_key, aggregation, carry_over, start_at, end_at, tests, places, number)`;
}

/** The ends of a row of `spanRows`, where it is called `span`. */
export const spanEnds = { start: sql`span.start_at`, end: sql`span.end_at` };

// What is of one span, as comparisons of rows: only an index that begins with the customer answers those. Column by column,
// the planner may take the one in which all customers of a metric stand beside each other (it does while a young table is
// not analyzed), and then each span reads them all.

/** The condition that a bucket, or a value of one, is of `span`'s customer and metric, and of these hours. */
export function hoursOfSpan(from: RawBuilder<unknown>, to: RawBuilder<unknown>) {
  return sql`(customer_id, metric, hour) >= (span.customer, span.metric_key, ${from})
    and (customer_id, metric, hour) < (span.customer, span.metric_key, ${to})`;
}

/** The condition that event `e` is of `span`'s customer and metric, and of these times. */
export function eventsOfSpan(from: RawBuilder<unknown>, to: RawBuilder<unknown>) {
  return sql`(e.customer_id, e.metric, e.occurred_at) >= (span.customer, span.metric_key, ${from})
    and (e.customer_id, e.metric, e.occurred_at) < (span.customer, span.metric_key, ${to})`;
}
