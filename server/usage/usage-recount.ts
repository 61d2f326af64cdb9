import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { passesTests, valuesAt } from "./dimension.ts";
import { isFolded } from "./folded.ts";
import { dimensionsOfEvent } from "./usage-bucket.ts";
import { averageLevel } from "./usage-quantity.ts";
import {
  eventsOfSpan,
  type GroupRow,
  groupsOf,
  spanEnds,
  spanRows,
  type UsageSpan,
  type UsageTotals,
} from "./usage-span.ts";

/**
 * What `usageTotals` answered when `foldNumber` was the last fold, counted again from the events themselves. Reads every
 * event of the spans: for checking, not for billing.
 */
export async function recountUsage(
  tx: Tx,
  tenantId: string,
  spans: readonly UsageSpan[],
  foldNumber: bigint,
): Promise<UsageTotals> {
  const seconds = sql`extract(epoch from span.end_at - greatest(e.occurred_at, span.start_at))`;
  const since = sql`case when span.carry_over then '-infinity' else span.start_at end`;
  const average = averageLevel(sql`sum(e.amount * ${seconds})`, spanEnds);
  const { rows } = await sql<{ number: bigint; values: string[]; quantity: string }>`
    select number, used.*
    from (${spanRows(spans)}) as span
    join metric m on m.tenant_id = ${tenantId} and m.key = span.metric_key
    cross join lateral (
      select ${valuesAt(dimensionsOfEvent, sql`span.places`)} as "values",
        case span.aggregation
          when 'SUM' then trim_scale(sum(e.amount))
          when 'COUNT' then count(*)
          when 'MAX' then trim_scale(max(e.amount))
          when 'UNIQUE' then count(distinct e.properties ->> m.unique_property)
          when 'LATEST' then trim_scale((array_agg(e.amount order by e.occurred_at desc, e.idempotency_key desc))[1])
          when 'WEIGHTED_SUM' then ${average}
        end::text as quantity
      from usage_event e
      where e.tenant_id = ${tenantId} and ${eventsOfSpan(since, sql`span.end_at`)}
        and ${isFolded(tenantId, foldNumber)} and ${passesTests(dimensionsOfEvent, sql`span.tests`)}
      group by 1
      having count(*) filter (where e.occurred_at >= span.start_at) > 0 or sum(e.amount) <> 0
    ) as used
    order by number, used."values"`.execute(tx);
  const groups = rows.map((row): GroupRow => [Number(row.number), row.values, row.quantity]);
  return { groups: groupsOf(spans, groups), foldNumber };
}
