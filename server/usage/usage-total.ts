import { type RawBuilder, sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { passesTests, valuesAt } from "./dimension.ts";
import { isFolded } from "./folded.ts";
import { selectBuckets, selectValues } from "./usage-bucket.ts";
import { quantityOf, quantityOfAny } from "./usage-quantity.ts";
import {
  eventsOfSpan,
  type GroupRow,
  groupsOf,
  hoursOfSpan,
  spanEnds,
  spanRows,
  type UsageSpan,
  type UsageTotals,
} from "./usage-span.ts";

const HOUR_MS = 3_600_000;

/**
 * The exact quantities of many spans: from the buckets of their whole hours, and from the events of hours that they cut.
 * One statement, so that all of them and the fold number are of the same instant; and each span is one range of an index,
 * so that the cost does not grow with what is stored. (A level that is carried over reads all buckets before the span.)
 */
export async function usageTotals(tx: Tx, tenantId: string, spans: readonly UsageSpan[]): Promise<UsageTotals> {
  const plain = spans.every(isPlain);
  const counted = plain
    ? sql`array(${plainQuantities(tenantId, spans)}) as quantities`
    : sql`(${anyGroups(tenantId, spans)}) as groups`;
  const { rows } = await sql<{ quantities?: string[]; groups?: GroupRow[]; fold_number: bigint }>`
    select ${counted},
      coalesce((select last_number from usage_progress where tenant_id = ${tenantId}), 0) as fold_number`.execute(tx);
  const [totals] = rows;
  if (!totals) throw new Error("a query for one row answered none");
  const groups = totals.groups ?? totals.quantities?.map((quantity, i): GroupRow => [i + 1, [], quantity]) ?? [];
  return { groups: groupsOf(spans, groups), foldNumber: totals.fold_number };
}

/** Whether a span is the usual one: whole hours, all of its usage, in one group. */
function isPlain({ start, end, carryOver, tests = [], groupBy = [] }: UsageSpan): boolean {
  const whole = start.getTime() % HOUR_MS === 0 && end.getTime() % HOUR_MS === 0;
  return whole && !carryOver && tests.length === 0 && groupBy.length === 0;
}

/** What buckets alone answer: of each aggregation, no more than it needs. */
function plainQuantities(tenantId: string, spans: readonly UsageSpan[]) {
  const range = sql`tenant_id = ${tenantId} and ${hoursOfSpan(sql`span.first_hour`, sql`span.last_hour`)}`;
  const of = (aggregation: string, table = sql`usage_bucket`) => sql`
    when ${sql.lit(aggregation)} then (select ${quantityOf(aggregation, spanEnds)} from ${table} where ${range})`;
  return sql`
    select case span.aggregation
      ${of("SUM")} ${of("COUNT")} ${of("MAX")} ${of("LATEST")} ${of("WEIGHTED_SUM")} ${of("UNIQUE", sql`usage_value`)}
    end
    from (${spanRows(spans)}) as span
    order by number`;
}

/** The same for any spans. */
function anyGroups(tenantId: string, spans: readonly UsageSpan[]) {
  const values = valuesAt(sql`part.dimensions`, sql`span.places`);
  // A level that is 0 where the span begins, and does not change, is none.
  return sql`
    select coalesce(jsonb_agg(jsonb_build_array(number, used."values", quantity) order by number, used."values"), '[]')
    from (${spanRows(spans)}) as span
    cross join lateral (
      select ${values} as "values",
        ${quantityOfAny(sql`span.aggregation`, spanEnds)} as quantity
      from (${partsOfSpan(tenantId)}) as part
      where ${passesTests(sql`part.dimensions`, sql`span.tests`)}
      group by 1
      having sum(event_count) > 0 or sum(amount_sum) <> 0
    ) as used`;
}

/** The buckets, and parts of buckets, that a row `span` is made of. */
function partsOfSpan(tenantId: string) {
  const bucket = sql`hour, dimensions, event_count, amount_sum, amount_max, amount_seconds, latest, null as value`;
  const value = sql`hour, dimensions, 1, 0, 0, null, null, value`;
  // What changed before the span counts over all of it, as if it had changed where the span begins.
  const level = sql`hour, dimensions, 0, amount_sum, 0,
    amount_sum * extract(epoch from hour + interval '1 hour' - span.start_at), null, null`;
  const stored = (hours: RawBuilder<unknown>) => sql`tenant_id = ${tenantId} and ${hours}`;
  const whole = stored(hoursOfSpan(sql`span.first_hour`, sql`span.last_hour`));
  const events = (from: RawBuilder<unknown>, to: RawBuilder<unknown>) =>
    sql`${eventsOfSpan(from, to)} and ${isFolded(tenantId)}`;
  const head = events(sql`span.start_at`, sql`least(span.first_hour, span.end_at)`);
  const tail = events(sql`greatest(span.last_hour, span.first_hour)`, sql`span.end_at`);
  const unique = sql`span.aggregation = 'UNIQUE'`;
  const before = sql`date_trunc('hour', span.start_at, 'UTC')`;
  const cutBefore = events(before, sql`span.start_at`);
  return sql`
    select ${bucket} from usage_bucket where ${whole} and not ${unique}
    union all select ${value} from usage_value where ${whole} and ${unique}
    union all select ${bucket} from (${selectBuckets(tenantId, head)}) as head where not ${unique}
    union all select ${value} from (${selectValues(tenantId, head)}) as head where ${unique}
    union all select ${bucket} from (${selectBuckets(tenantId, tail)}) as tail where not ${unique}
    union all select ${value} from (${selectValues(tenantId, tail)}) as tail where ${unique}
    union all select ${level} from usage_bucket where ${stored(hoursOfSpan(sql`timestamptz '-infinity'`, before))} and span.carry_over
    union all select ${level} from (${selectBuckets(tenantId, cutBefore)}) as before where span.carry_over`;
}
