import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { UsageMinuteSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { GetUsageRateResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { type ProgressColumns, toProgress } from "./usage-progress.ts";

const MINUTE_MS = 60_000;
const MINUTES = 60;
// Longer than what is shown: it is taken away by whoever folds next, on a clock of its own.
const KEPT_MS = 2 * MINUTES * MINUTE_MS;

/** A commit of usage: when it was, and how many events it stored. */
export interface StoredBatch {
  created_at: Date;
  event_count: number;
}

/** Adds what is being folded to the minutes in which it came, and takes minutes away that nobody asks for any more. */
export async function addToMinutes(
  tx: Tx,
  tenantId: string,
  batches: readonly StoredBatch[],
  now: Date,
): Promise<void> {
  const counts = new Map<number, number>();
  for (const { created_at, event_count } of batches) {
    const minute = minuteOf(created_at).getTime();
    if (event_count > 0) counts.set(minute, (counts.get(minute) ?? 0) + event_count);
  }
  if (counts.size === 0) return;
  await sql`
    with gone as (
      delete from usage_minute where tenant_id = ${tenantId} and minute < ${plusMs(now, -KEPT_MS)}
    )
    insert into usage_minute (tenant_id, minute, event_count)
    select ${tenantId}, minute, event_count
    from unnest(
      ${Array.from(counts.keys(), (minute) => new Date(minute))}::timestamptz[], ${[...counts.values()]}::bigint[]
    ) as new (minute, event_count)
    where minute >= ${plusMs(now, -KEPT_MS)}
    on conflict on constraint usage_minute_pkey do update
      set event_count = usage_minute.event_count + excluded.event_count`.execute(tx);
}

/** How much usage came in, minute by minute, in the last hour. */
export function getUsageRate(app: App, tenantId: string) {
  const now = app.clock.now();
  const first = plusMs(minuteOf(now), -(MINUTES - 1) * MINUTE_MS);
  return inTenant(app.db, tenantId, async (tx) => {
    // One statement: a fold between two would be in both, or in neither.
    const { rows } = await sql<ProgressColumns & { pending_events: bigint; minutes: [string, number][] | null }>`
      select
        coalesce((select last_number from usage_progress where tenant_id = ${tenantId}), 0) as fold_number,
        count(*) as pending_batches,
        min(created_at) as oldest_pending_at,
        coalesce(sum(event_count), 0)::bigint as pending_events,
        (
          select json_agg(json_build_array(minute, event_count)) from usage_minute
          where tenant_id = ${tenantId} and minute >= ${first}
        ) as minutes
      from usage_batch where tenant_id = ${tenantId}`.execute(tx);
    const [row] = rows as [(typeof rows)[number]]; // an aggregate answers one row
    const counts = new Map((row.minutes ?? []).map(([minute, count]) => [new Date(minute).getTime(), count]));
    return create(GetUsageRateResponseSchema, {
      at: timestampFromDate(now),
      minutes: Array.from({ length: MINUTES }, (_, place) => {
        const start = plusMs(first, place * MINUTE_MS);
        const eventCount = BigInt(counts.get(start.getTime()) ?? 0);
        return create(UsageMinuteSchema, { start: timestampFromDate(start), eventCount });
      }),
      pendingEventCount: row.pending_events,
      progress: toProgress(row),
    });
  });
}

function minuteOf(time: Date): Date {
  return new Date(Math.floor(time.getTime() / MINUTE_MS) * MINUTE_MS);
}
