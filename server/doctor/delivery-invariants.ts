import { sql } from "kysely";
import { type Invariant, rowsOf, walking } from "./invariant.ts";

/** That each delivery is over or in the queue, once, and that its log is whole. */
export const deliveryInvariants: readonly Invariant[] = [
  {
    name: "delivery-queued",
    says: "Each delivery that is pending is in the queue.",
    meaning: "It is shown as pending, and nobody will ever send it.",
    remedy: "Send it: usageflow events resend EVENT --endpoint ENDPOINT, or usageflow deliveries retry DELIVERY.",
    of: "tenant",
    look: walking({
      part: rowsOf("delivery", ["id"]),
      found: ({ place }) => sql`
        select format('whd:%s of evt:%s to whe:%s', id, event_id, endpoint_id) from part
        where state = 'PENDING' and not exists (
          select from delivery_due due where due.tenant_id = ${place} and due.delivery_id = part.id
        )`,
    }),
  },
  {
    name: "delivery-over",
    says: "What is in the queue is pending, and its event is there.",
    meaning: "A delivery that is over will be sent once more, or one that cannot be sent holds up others.",
    remedy: "Give it up, usageflow deliveries skip DELIVERY, or delete its row of delivery_due as the owner.",
    of: "tenant",
    look: walking({
      part: rowsOf("delivery_due", ["delivery_id"]),
      found: ({ place }) => sql`
        select format('whd:%s is %s, with %s attempts; the queue says %s',
          part.delivery_id, coalesce(d.state, 'gone'), d.attempt_count, part.attempt_count)
        from part left join lateral (
          select state, attempt_count from delivery d where d.tenant_id = ${place} and d.id = part.delivery_id offset 0
        ) as d on true
        where d.state is distinct from 'PENDING' or d.attempt_count <> part.attempt_count
          or not exists (select from outbox_event e where e.tenant_id = ${place} and e.id = part.event_id offset 0)`,
    }),
  },
  {
    name: "delivery-attempts",
    says: "A delivery has the attempts that it counts, and what it came to is what the last one says.",
    meaning:
      "The log of deliveries is not what happened: an attempt is missing, or a delivery was moved after its end.",
    remedy:
      "Do not rely on the log of these; compare with the receiver's, by webhook-id, and send again what is missing there.",
    of: "tenant",
    look: walking({
      part: rowsOf("delivery", ["id"]),
      found: ({ place }) => sql`
        select format('whd:%s is %s after %s attempts; its log has %s up to number %s, the last %s', id, state,
          attempt_count, attempts.count, attempts.last, coalesce(nullif(attempts.last_error, ''), 'without error'))
        from part cross join lateral (
          select count(*) as count, coalesce(max(number), 0) as last,
            (array_agg(error order by number desc))[1] as last_error
          from delivery_attempt a where a.tenant_id = ${place} and a.delivery_id = part.id
        ) as attempts
        where attempt_count <> attempts.count or attempt_count <> attempts.last
          or (state = 'DELIVERED' and attempts.last_error is distinct from '')
          or (state = 'FAILED' and attempts.last_error = '' and part.last_error = '')`,
    }),
  },
  {
    name: "delivery-sequences",
    says: "An endpoint's deliveries are numbered without gaps, and none beyond its last.",
    meaning: "The receiver sees a gap that nothing will fill, or one number twice.",
    remedy: "Look the events of that time up (usageflow events list) and send again what has no delivery.",
    of: "tenant",
    look: walking({
      part: rowsOf("delivery", ["endpoint_id", "sequence", "id"], ({ keptFrom }) => sql`row.id >= ${keptFrom}::uuid`),
      found: ({ place, after }) => sql`
        select format('whe:%s: after %s comes %s', endpoint_id, before, sequence) from (
          select endpoint_id, sequence, lag(sequence, 1, ${
            after ? sql`case when endpoint_id = ${after[0]}::uuid then ${after[1]}::bigint end` : sql`null`
          }) over (partition by endpoint_id order by sequence, id) as before
          from part
        ) as steps where sequence - before <> 1
        union all
        select format('whe:%s has given %s, and %s is there', part.endpoint_id, last_sequence, max(sequence))
        from part join endpoint on endpoint.tenant_id = ${place} and endpoint.id = part.endpoint_id
        group by part.endpoint_id, last_sequence having max(sequence) > last_sequence`,
    }),
  },
  {
    name: "delivery-once",
    says: "An event has one delivery for an endpoint.",
    meaning: "A receiver gets the same webhook-id with two bodies.",
    remedy: "Give the later one up: usageflow deliveries skip DELIVERY.",
    of: "tenant",
    look: walking({
      part: rowsOf("delivery", ["event_id", "endpoint_id", "id"]),
      found: ({ place }) => sql`
        select format('evt:%s to whe:%s: whd:%s is not the only one', event_id, endpoint_id, id) from part
        where exists (
          select from delivery other
          where other.tenant_id = ${place} and other.event_id = part.event_id and other.endpoint_id = part.endpoint_id
            and other.id < part.id
          offset 0 -- by key, in each week
        )`,
    }),
  },
];
