import { type RawBuilder, sql } from "kysely";
import { inTenant } from "../db/database.ts";
import { formatId } from "../id.ts";
import { verifyInvoice } from "../invoice/verify-invoice.ts";
import { errorFacts } from "../log.ts";
import { type Invariant, rowsOf, walking } from "./invariant.ts";

const CHANGED =
  "No role of a server may change what is final, so somebody did by hand, or the disk did. Compare with a backup (invoices show --json of both), and restore the rows as the owner.";

/** That invoices are what was billed, once, and stay what they were. */
export const invoiceInvariants: readonly Invariant[] = [
  {
    name: "invoice-total",
    says: "An invoice's total is the sum of its lines.",
    meaning: "Somebody owes another sum than the invoice explains.",
    remedy: CHANGED,
    of: "tenant",
    look: walking({
      part: rowsOf("invoice_document", ["invoice_id"]),
      found: ({ place }) => sql`
        select format('%s says %s, its lines come to %s', number, total_minor, lines.sum) from part
        cross join lateral (
          select coalesce(sum(amount_minor), 0) as sum from invoice_line line
          where line.tenant_id = ${place} and line.invoice_id = part.invoice_id
        ) as lines
        where total_minor <> lines.sum`,
    }),
  },
  {
    name: "invoice-once",
    says: "A period is billed once, void invoices apart.",
    meaning: "A customer pays twice.",
    remedy: "Void one of the two (invoices void), and reindex invoice_period_key, which should have refused it.",
    of: "tenant",
    look: walking({
      part: rowsOf("subscription", ["id"]),
      found: ({ place }) => sql`
        select format('sub:%s has %s invoices %s of the period from %s',
          part.id, count(*), lower(invoice.kind), invoice.period_start)
        from part join invoice on invoice.tenant_id = ${place} and invoice.subscription_id = part.id
          and invoice.state <> 'VOID' and invoice.kind <> 'ADJUSTMENT'
        group by part.id, invoice.kind, invoice.period_start having count(*) > 1`,
    }),
  },
  {
    name: "invoice-state",
    says: "An invoice's state is where its history leads, and what is final has its document.",
    meaning: "An invoice is shown as paid, void or open without the step that made it so.",
    remedy: CHANGED,
    of: "tenant",
    look: walking({
      part: rowsOf("invoice", ["id"]),
      found: ({ place }) => sql`
        select format('inv:%s is %s, its history leads to %s, and it has %s document',
          part.id, part.state, led.state, case when led.document then 'a' else 'no' end)
        from part
        cross join lateral (
          select coalesce((
            select last.to_state from invoice_change last
            where last.tenant_id = ${place} and last.invoice_id = part.id and not exists (
              select from invoice_change later where later.tenant_id = ${place} and later.invoice_id = part.id
                and later.from_state = last.to_state
            ) limit 1
          ), 'DRAFT') as state, exists (
            select from invoice_document d where d.tenant_id = ${place} and d.invoice_id = part.id
          ) as document
        ) as led
        where part.state <> led.state or led.document <> (part.state <> 'DRAFT')`,
    }),
  },
  numbered("invoice-numbers", { table: "invoice_document", counter: "invoice_counter", what: "Invoices" }),
  numbered("credit-note-numbers", { table: "credit_note", counter: "credit_note_counter", what: "Credit notes" }),
  {
    name: "invoice-as-told",
    says: "A final invoice is what its event invoice.finalized said.",
    meaning: "The invoice is not any more what your systems and the customer were told.",
    remedy: CHANGED,
    of: "tenant",
    look: walking({
      part: rowsOf("outbox_event", ["type", "occurred_at", "id"], () => sql`row.type = 'invoice.finalized'`),
      found: ({ place }) => sql`
        select format('%s was told as %s, and is %s', told ->> 'number', told ->> 'totalMinor', coalesce(total_minor::text, 'gone'))
        from part
        cross join lateral (select data::jsonb -> 'invoice' as told) as event
        left join invoice_document document on document.tenant_id = ${place} and document.number = told ->> 'number'
        where document.total_minor is distinct from (told ->> 'totalMinor')::bigint
          or array(
            select amount_minor from invoice_line line
            where line.tenant_id = ${place} and line.invoice_id = document.invoice_id order by position
          ) <> array(
            select (line ->> 'amountMinor')::bigint
            from jsonb_array_elements(told -> 'lines') with ordinality as line (line, position) order by position
          )`,
    }),
  },
];

/** Numbers without gaps: each has the one before it, and the counter stands at the last. */
function numbered(name: string, { table, counter, what }: { table: string; counter: string; what: string }): Invariant {
  const last = (place: string): RawBuilder<unknown> =>
    sql`(select coalesce(max(sequence), 0) from ${sql.table(table)} where tenant_id = ${place})`;
  return {
    name,
    says: `${what} are numbered without gaps.`,
    meaning: "The books have a hole, which a tax office asks about; or the next number is one that is taken.",
    remedy: CHANGED,
    of: "tenant",
    look: walking({
      part: rowsOf(table, ["sequence"]),
      found: ({ place }) => sql`
        select format('%s has none before it', number) from part
        where sequence > 1 and not exists (
          select from ${sql.table(table)} before where before.tenant_id = ${place} and before.sequence = part.sequence - 1
        )
        union all
        select format('%s is number %s', number, sequence) from part
        where number !~ ('^[A-Za-z0-9-]*[A-Za-z-]0*' || sequence || '$')
        union all
        select format('the counter stands at %s, and the last is %s', last_sequence, ${last(place)})
        from ${sql.table(counter)} where tenant_id = ${place} and last_sequence <> ${last(place)}`,
    }),
  };
}

const RERATED_MAX = 20; // in one piece

/** That an invoice comes out the same when it is worked out again: the dearest question there is. */
export const reratingInvariants: readonly Invariant[] = [
  {
    name: "invoice-rerated",
    says: "A final invoice comes out the same when it is priced again from its events.",
    meaning: "A line says another amount, or usage that it counted was changed since.",
    remedy: "See which line differs: usageflow invoices verify NUMBER. Take back what is too much with a credit note.",
    of: "tenant",
    look: async ({ db }, { place, after, limit }) => {
      const few = Math.min(limit, RERATED_MAX);
      const rows = await inTenant(db, place, (tx) =>
        tx
          .selectFrom("invoice_document")
          .select(["invoice_id", "number"])
          .where("tenant_id", "=", place)
          .$if(after !== undefined, (query) => query.where("invoice_id", ">", after?.[0] as string))
          .orderBy("invoice_id")
          .limit(few)
          .execute(),
      );
      const found: string[] = [];
      for (const { invoice_id, number } of rows) {
        const verified = verifyInvoice({ db }, place, formatId("inv", invoice_id));
        const { matches } = await verified.catch((error): Partial<Awaited<typeof verified>> => {
          if (errorFacts(error).code) throw error; // the database's
          return { matches: false }; // what is needed to work it out is not there
        });
        if (!matches) found.push(`${number} comes out differently`);
      }
      const last = rows.length < few ? undefined : rows.at(-1);
      return { looked: rows.length, found, last: last && [last.invoice_id] };
    },
  },
];
