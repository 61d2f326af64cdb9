import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { GetDeliveryActivityResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { AT_ONCE } from "./claim-deliveries.ts";
import { durationOf } from "./delivery.ts";

const HOUR_MS = 3_600_000;
// How many of the last attempts are read, and how far what waits is counted: what an answer costs at most.
const ATTEMPTS_MAX = 10_000;
const COUNTED_MAX = 10_001;

/** How sending goes: what became of the attempts of the last hour, and what waits. */
export function getDeliveryActivity(app: App, tenantId: string) {
  const now = app.clock.now();
  return inTenant(app.db, tenantId, async (tx) => {
    const { looked_at, first_sent_at, ...counts } = await readAttempts(tx, tenantId, plusMs(now, -HOUR_MS));
    const since = looked_at === BigInt(ATTEMPTS_MAX) && first_sent_at ? first_sent_at : plusMs(now, -HOUR_MS);
    const [p50, p99] = (counts.percentiles ?? []).map((us) => durationOf(BigInt(us)));
    const pending = await readPending(tx, tenantId, now);
    const undispatched = await readUndispatched(tx, tenantId);
    return create(GetDeliveryActivityResponseSchema, {
      at: timestampFromDate(now),
      since: timestampFromDate(since),
      successCount: counts.success,
      refusedCount: counts.refused,
      unansweredCount: counts.unanswered,
      ...(p50 && p99 ? { durationP50: p50, durationP99: p99 } : {}),
      pendingCount: pending.count,
      ...(pending.due_since ? { dueSince: timestampFromDate(pending.due_since) } : {}),
      undispatchedCount: undispatched.count,
      ...(undispatched.first ? { undispatchedSince: timestampFromDate(madeAt(undispatched.first)) } : {}),
    });
  });
}

interface AttemptCounts {
  looked_at: bigint;
  first_sent_at: Date | null;
  success: bigint;
  refused: bigint;
  unanswered: bigint;
  percentiles: string[] | null;
}

/** The last attempts, by the transactions that made them: the only order of the log that has an index. */
async function readAttempts(tx: Tx, tenantId: string, since: Date): Promise<AttemptCounts> {
  const { rows } = await sql<AttemptCounts>`
    select
      count(*) as looked_at,
      min(sent_at) as first_sent_at,
      count(*) filter (where status between 200 and 299) as success,
      count(*) filter (where status > 0 and status not between 200 and 299) as refused,
      count(*) filter (where status = 0) as unanswered,
      percentile_disc(array[0.5, 0.99]) within group (order by duration_us) as percentiles
    from (
      select status, duration_us, sent_at from delivery_attempt
      where tenant_id = ${tenantId} order by xid desc limit ${ATTEMPTS_MAX}
    ) as last where sent_at >= ${since}`.execute(tx);
  return rows[0] as AttemptCounts; // an aggregate answers one row
}

/** What waits, and since when something is due to endpoints that are sent to. What was asked for by hand has no such time. */
async function readPending(tx: Tx, tenantId: string, now: Date): Promise<{ count: bigint; due_since: Date | null }> {
  const { rows } = await sql<{ count: bigint; due_since: Date | null }>`
    select
      (
        select count(*) from (
          select from delivery_due where tenant_id = ${tenantId} limit ${COUNTED_MAX}
        ) as counted
      ) as count,
      (
        select min(first.next_attempt_at) from endpoint e
        left join endpoint_failure f on f.tenant_id = e.tenant_id and f.endpoint_id = e.id
        cross join lateral (
          select next_attempt_at from delivery_due d
          where d.tenant_id = e.tenant_id and d.endpoint_id = e.id
            and d.next_attempt_at > ${AT_ONCE} and d.next_attempt_at <= ${now}
          order by d.next_attempt_at limit 1
        ) as first
        where e.tenant_id = ${tenantId} and e.deleted_at is null and e.paused_at is null and e.disabled_at is null
          and e.listener_name is null and (f.rest_until is null or f.rest_until <= ${now})
      ) as due_since`.execute(tx);
  return rows[0] as { count: bigint; due_since: Date | null };
}

async function readUndispatched(tx: Tx, tenantId: string): Promise<{ count: bigint; first: string | null }> {
  const { rows } = await sql<{ count: bigint; first: string | null }>`
    select
      (
        select count(*) from (
          select from outbox_pending where tenant_id = ${tenantId} limit ${COUNTED_MAX}
        ) as counted
      ) as count,
      (
        select event_id from outbox_pending where tenant_id = ${tenantId} order by event_id limit 1
      ) as first`.execute(tx);
  return rows[0] as { count: bigint; first: string | null };
}

/** When an id was made, which a UUIDv7 begins with. */
function madeAt(id: string): Date {
  return new Date(Number.parseInt(id.replace("-", "").slice(0, 12), 16));
}
