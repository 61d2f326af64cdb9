import { sql } from "kysely";
import { plusMs } from "../clock.ts";
import { idBoundary } from "../webhook/log-week.ts";
import { type Invariant, ofTenant, rowsOf, walking } from "./invariant.ts";

// A loop comes round within seconds, and what fails is tried again: what still waits after this is stuck.
const STUCK_MS = 60 * 60_000;
// Leases are of a minute or two.
const LEASE_STUCK_MS = 10 * 60_000;
/** The most attempts that a schedule of retries can have (config.ts). */
const ATTEMPTS_MAX = 101;

const WORKERS =
  "See whether workers run and what their last errors are: usageflow status. Their log says tenant.failed or loop.failed.";

/** That work which waits will be found, and is done. */
export const dueInvariants: readonly Invariant[] = [
  {
    name: "work-due",
    says: "What billing has to do is on the list of what falls due, at its time or before.",
    meaning: "Nobody will look: periods stay open, drafts stay drafts, or customers get no subscription.",
    remedy: "Insert the work into tenant_due as the owner, due now: the worker looks, and sets the next time itself.",
    of: "tenant",
    look: ofTenant(
      (place) => sql`
        select format('%s by %s is not on the list', waits.work, waits.at) from (
          select 'CLOSE_PERIODS' as work, min(due_at) as at from subscription
            where tenant_id = ${place} and due_at is not null
          union all
          select 'FINALIZE_INVOICES', min(finalize_at) from invoice where tenant_id = ${place} and state = 'DRAFT'
          union all
          select 'EXPIRE_CREDITS', min(expires_at) from credit_grant
            where tenant_id = ${place} and remaining_minor > 0 and expires_at is not null
          union all
          select 'SUBSCRIBE_ARRIVALS', 'infinity'::timestamptz from customer_arrival where tenant_id = ${place} limit 1
        ) as waits
        where waits.at is not null and ${unlisted(place)}
        union all
        select format('%s is not on the list', work) from (
          select distinct case watcher when 'LATE_USAGE' then 'BILL_LATE_USAGE' else 'CHECK_THRESHOLDS' end as work,
            'infinity'::timestamptz as at
          from usage_news where tenant_id = ${place}
        ) as waits where ${unlisted(place)}`,
    ),
  },
  {
    name: "work-done",
    says: "What is due is done within the hour.",
    meaning: "Work in the background stands still for this tenant: usage is not counted, or invoices are late.",
    remedy: WORKERS,
    of: "tenant",
    look: ofTenant((place, { now }) => {
      const stuck = plusMs(now, -STUCK_MS);
      return sql`
        select format('usage has waited to be counted since %s', at) from (
          select min(created_at) as at from (
            select created_at from usage_batch where tenant_id = ${place} order by id limit 1000
          ) as first
        ) as oldest where at < ${stuck}
        union all
        select format('evt:%s waits to be dispatched', event_id) from (
          select min(event_id::text)::uuid as event_id from outbox_pending where tenant_id = ${place}
        ) as oldest where event_id < ${idBoundary(stuck)}::uuid
        union all
        select format('%s has been due since %s', work, due_at) from tenant_due
          join tenant using (tenant_id)
          where tenant_id = ${place} and clock_frozen_at is null and clock_target is null
            and due_at < ${stuck}::timestamptz + clock_offset_ms * interval '1 millisecond'
        union all
        select format('the erasure of %s has been due since %s', customer_id, due_at) from customer_erasure
          where tenant_id = ${place} and due_at < ${stuck}
        union all
        select format('the clock stands still on its way to %s', clock_target) from tenant
          where tenant_id = ${place} and clock_target is not null
            and clock_lease_until < ${plusMs(now, -LEASE_STUCK_MS)}`;
    }),
  },
  {
    name: "delivery-sent",
    says: "A delivery that is due is sent: no lease outlives its worker, none waits an hour at an endpoint that is open.",
    meaning: "Webhooks stand still, though their endpoints take them.",
    remedy: WORKERS,
    of: "tenant",
    look: walking({
      part: rowsOf("delivery_due", ["delivery_id"]),
      found: ({ place }, { now }) => sql`
        select case when attempt_count - attempt_base > ${ATTEMPTS_MAX}
          then format('whd:%s was tried %s times', delivery_id, attempt_count - attempt_base)
          else format('whd:%s has been due since %s, its lease ended %s', delivery_id, next_attempt_at,
            coalesce(lease_until::text, 'not: it has none')) end
        from part join endpoint on endpoint.tenant_id = ${place} and endpoint.id = part.endpoint_id
        where attempt_count - attempt_base > ${ATTEMPTS_MAX} or (
          ${isOpen(place)} and (
            lease_until < ${plusMs(now, -LEASE_STUCK_MS)}
            or (next_attempt_at < ${plusMs(now, -STUCK_MS)} and next_attempt_at > '-infinity' and lease_until is null)
          )
        )`,
    }),
  },
];

function unlisted(place: string) {
  return sql`not exists (
    select from tenant_due due where due.tenant_id = ${place} and due.work = waits.work and due.due_at <= waits.at
  )`;
}

/** That an endpoint takes all that is due at once: it neither waits, nor rests, nor is it slowed down by a cap. */
function isOpen(place: string) {
  return sql`paused_at is null and disabled_at is null and deleted_at is null and listener_name is null
    and max_per_second is null and max_in_flight is null
    and not exists (
      select from endpoint_failure f
      where f.tenant_id = ${place} and f.endpoint_id = endpoint.id
    )`;
}
