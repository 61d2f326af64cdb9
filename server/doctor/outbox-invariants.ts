import { sql } from "kysely";
import { inTenant } from "../db/database.ts";
import { formatId } from "../id.ts";
import { type Invariant, type Patient, rowsOf, walking } from "./invariant.ts";

const TELL_BY_HAND =
  "Nobody was told. Tell your own systems of it by hand, and report how it came: change and event are one transaction.";

/** That a change of business and the event that tells of it are both there, or neither. */
export const outboxInvariants: readonly Invariant[] = [
  {
    name: "invoice-told",
    says: "Each step of an invoice has its event.",
    meaning: "An invoice was made, final, paid, void or given up, and no webhook will say so.",
    remedy: TELL_BY_HAND,
    of: "tenant",
    look: walking({
      part: rowsOf("invoice", ["id"], sinceKept),
      found: ({ place }) => sql`
        select format('inv:%s of %s: there is no %s of %s', step.id, step.customer_id, step.type, step.at) from (
          select part.id, part.customer_id, 'invoice.created' as type, part.created_at as at from part
          union all
          select part.id, part.customer_id, case change.to_state when 'FINALIZED' then 'invoice.finalized'
            when 'PAID' then 'invoice.paid' when 'VOID' then 'invoice.voided' else 'invoice.uncollectible' end,
            change.changed_at
          from part join invoice_change change on change.tenant_id = ${place} and change.invoice_id = part.id
        ) as step where ${untold(place)}`,
    }),
  },
  {
    name: "credit-told",
    says: "Each credit and each credit note has its event.",
    meaning: "Somebody got credit, or money back, and no webhook will say so.",
    remedy: TELL_BY_HAND,
    of: "tenant",
    look: walking({
      part: (piece, patient) => sql`
        select step.*, row_number() over (order by id) as place from (
          (select id, customer_id, 'credit.granted' as type, created_at as at, key
            from (${rowsOf("credit_grant", ["id"], sinceKept)(piece, patient)}) as one)
          union all
          (select id, customer_id, 'credit_note.created', created_at, key
            from (${rowsOf("credit_note", ["id"], sinceKept)(piece, patient)}) as one)
        ) as step order by id limit ${piece.limit}`,
      found: ({ place }) => sql`
        select format('there is no %s of %s at %s', type, customer_id, at) from part as step where ${untold(place)}`,
    }),
  },
  {
    name: "threshold-told",
    says: "Each threshold that was reached has its event.",
    meaning: "Spending passed a threshold, and nobody was warned.",
    remedy: TELL_BY_HAND,
    of: "tenant",
    look: walking({
      part: rowsOf(
        "spend_threshold_reached",
        ["subscription_id", "period_start", "amount"],
        ({ keptFrom }) => sql`row.subscription_id >= ${keptFrom}::uuid`,
      ),
      found: ({ place }) => sql`
        select format('there is no %s of %s at %s', type, customer_id, at) from (
          select s.customer_id, 'usage.threshold_reached' as type, part.reached_at as at
          from part join subscription s on s.tenant_id = ${place} and s.id = part.subscription_id
        ) as step where ${untold(place)}`,
    }),
  },
  {
    name: "event-there",
    says: "Each event that waits to be dispatched is there.",
    meaning: "The dispatcher stumbles over it each time, and no webhook leaves for this tenant.",
    remedy: "Delete the row of outbox_pending as the owner, and find what it told of in the audit log.",
    of: "tenant",
    look: walking({
      part: rowsOf("outbox_pending", ["event_id"]),
      found: ({ place }) => sql`
        select format('evt:%s', event_id) from part
        where not exists (select from outbox_event e where e.tenant_id = ${place} and e.id = part.event_id)`,
    }),
  },
  {
    name: "event-fanned-out",
    says: "Each dispatched event has a delivery for each endpoint that asks for it.",
    meaning: "An endpoint will never hear of it.",
    remedy: "Send it there: usageflow events resend EVENT --endpoint ENDPOINT.",
    of: "tenant",
    look: async (patient, piece) => {
      const since = await askedSince(patient, piece.place);
      const ids = [...since.keys()];
      return walking({
        part: rowsOf("outbox_event", ["id"], sinceKept),
        found: ({ place }) => sql`
          select format('evt:%s (%s) has none for whe:%s', part.id, part.type, endpoint.id) from part
          join unnest(${ids}::uuid[], ${[...since.values()]}::uuid[]) as asked (endpoint_id, since)
            on part.id > asked.since
          join endpoint on endpoint.tenant_id = ${place} and endpoint.id = asked.endpoint_id
            and endpoint.deleted_at is null
            and (endpoint.event_types = '{}'
              or endpoint.event_types && array['*', part.type, split_part(part.type, '.', 1) || '.*'])
          where part.type not in ('webhook.test', 'endpoint.disabled', 'delivery.exhausted')
            and not exists (select from outbox_pending p where p.tenant_id = ${place} and p.event_id = part.id)
            and not exists (
              select from delivery d
              where d.tenant_id = ${place} and d.event_id = part.id and d.endpoint_id = endpoint.id
              offset 0 -- by key, in each week
            )`,
      })(patient, piece);
    },
  },
];

function sinceKept({ keptFrom }: Patient) {
  return sql`row.id >= ${keptFrom}::uuid`;
}

/** That a `step` of a customer has no event of its type and time. */
function untold(place: string) {
  return sql`not exists (
    select from outbox_event e
    where e.tenant_id = ${place} and e.customer_id = step.customer_id and e.type = step.type and e.occurred_at = step.at
  )`;
}

/**
 * Of each endpoint the id from which on it has asked for what it asks for now: what it asked for before, only the audit log
 * knows. A minute is left out, in which an event may have been on its way while the endpoint changed.
 */
async function askedSince({ db }: Patient, place: string): Promise<Map<string, string>> {
  return inTenant(db, place, async (tx) => {
    const endpoints = await tx
      .selectFrom("endpoint")
      .select("id")
      .where("tenant_id", "=", place)
      .where("deleted_at", "is", null)
      .where("listener_name", "is", null) // its client says what it asks for, each time it comes
      .orderBy("id")
      .execute();
    const { rows } = await sql<{ id: string; since: string }>`
      select id, greatest(id, log_boundary(greatest(
        (select max(recorded_at) from audit_entry
          where tenant_id = ${place} and subject = name and action = 'UpdateEndpoint'),
        (select timestamp::timestamptz from schema_migration where name = '0052_audit')
      ) + interval '1 minute')) as since
      from unnest(${endpoints.map(({ id }) => id)}::uuid[], ${endpoints.map(({ id }) => formatId("whe", id))}::text[])
        as endpoint (id, name)`.execute(tx);
    return new Map(rows.map((row) => [row.id, row.since]));
  });
}
