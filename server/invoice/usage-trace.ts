import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { type Trace, traceFrom } from "../observe/trace.ts";
import type { Draft } from "./draft.ts";

// Of each metric, how many of a customer's last events are looked at: one that was not traced leads nowhere.
const EVENTS_MAX = 5;

/**
 * Of each draft, the aggregation of the last usage of its period that was traced. Its event is found by its key, however many
 * there are.
 */
export async function usageTraces(
  tx: Tx,
  tenantId: string,
  drafts: readonly Draft[],
): Promise<readonly (Trace | undefined)[]> {
  const { rows } = await sql<{ place: bigint; trace: Buffer }>`
    select draft.place, last.trace
    from unnest(
      ${drafts.map((draft) => draft.customer_id)}::text[], ${drafts.map((draft) => draft.period_start)}::timestamptz[],
      ${drafts.map((draft) => draft.period_end)}::timestamptz[]
    ) with ordinality as draft (customer_id, period_start, period_end, place)
    cross join lateral (
      select fold.trace
      from metric
      cross join lateral (
        select batch_id, occurred_at from usage_event event
        where event.tenant_id = ${tenantId} and event.customer_id = draft.customer_id and event.metric = metric.key
          and event.occurred_at >= draft.period_start and event.occurred_at < draft.period_end
        order by event.occurred_at desc limit ${EVENTS_MAX}
      ) as event
      join usage_fold fold on fold.tenant_id = ${tenantId} and fold.batch_id = event.batch_id
      where metric.tenant_id = ${tenantId} and fold.trace is not null
      order by event.occurred_at desc limit 1
    ) as last`.execute(tx);
  const traceAt = new Map(rows.map(({ place, trace }) => [Number(place) - 1, traceFrom(trace)]));
  return drafts.map((_, place) => traceAt.get(place));
}
