import { type RawBuilder, sql } from "kysely";

/** Ends of a span, in a statement. */
interface Ends {
  start: RawBuilder<unknown>;
  end: RawBuilder<unknown>;
}

/** What each aggregation makes of gathered buckets; null of none. */
const aggregates: Record<string, (span: Ends) => RawBuilder<unknown>> = {
  SUM: () => sql`trim_scale(sum(amount_sum))`,
  COUNT: () => sql`sum(event_count)`,
  MAX: () => sql`trim_scale(max(amount_max))`,
  UNIQUE: () => sql`count(distinct value)`,
  LATEST: () => sql`trim_scale((max(latest))[3]::numeric)`,
  WEIGHTED_SUM: (span) => averageLevel(sql`sum(${levelSeconds(span.end)})`, span),
};

/**
 * The quantity of buckets, or of parts of them, that a statement gathers: as text, and 0 of none. They have the columns
 * of `usage_bucket`, and those of a UNIQUE metric a `value`. The span is the one that they are of.
 */
export function quantityOf(aggregation: string, span: Ends) {
  const aggregate = aggregates[aggregation];
  if (!aggregate) throw new Error(`no aggregation: ${aggregation}`);
  return sql`coalesce(${aggregate(span)}, 0)::text`;
}

/** The same where the statement knows the aggregation. */
export function quantityOfAny(aggregation: RawBuilder<unknown>, span: Ends) {
  const cases = Object.entries(aggregates).map(
    ([name, aggregate]) => sql`when ${sql.lit(name)} then ${aggregate(span)}`,
  );
  return sql`coalesce(case ${aggregation} ${sql.join(cases, sql` `)} end, 0)::text`;
}

/** What the changes in a bucket come to by a time after them: each times the seconds since. */
export function levelSeconds(end: RawBuilder<unknown>) {
  return sql`amount_seconds + amount_sum * extract(epoch from ${end} - hour - interval '1 hour')`;
}

/**
 * Level times seconds, divided by the seconds of the span. Rounded half away from zero to 12 digits after the point, by
 * whole numbers: a quotient that PostgreSQL had rounded before would be rounded twice.
 */
export function averageLevel(levelTimesSeconds: RawBuilder<unknown>, { start, end }: Ends) {
  const seconds = sql`extract(epoch from ${end} - ${start})`;
  return sql`trim_scale(
    sign(${levelTimesSeconds}) * div(abs(${levelTimesSeconds}) * 2e12 + ${seconds}, 2 * ${seconds}) * 1e-12
  )`;
}
