import { sql } from "kysely";
import { type Invariant, rowsOf, walking } from "./invariant.ts";

const BY_HAND =
  "No role of a server may change an entry of the ledger, so somebody did by hand. The entries are the truth: correct the rest to them as the owner.";

/** That credits add up: what was granted, drawn, given back and taken back. */
export const creditInvariants: readonly Invariant[] = [
  {
    name: "credit-balance",
    says: "What is left of a credit is the sum of its entries, and never less than nothing.",
    meaning: "A customer can draw more or less than they have.",
    remedy: BY_HAND,
    of: "tenant",
    look: walking({
      part: rowsOf("credit_grant", ["id"]),
      found: ({ place }) => sql`
        select format('crg:%s of %s has %s left, its entries come to %s', id, customer_id, remaining_minor, entries.sum)
        from part
        cross join lateral (
          select coalesce(sum(amount_minor), 0) as sum from credit_entry entry
          where entry.tenant_id = ${place} and entry.grant_id = part.id
        ) as entries
        where remaining_minor <> entries.sum or remaining_minor < 0`,
    }),
  },
  {
    name: "credit-of-invoice",
    says: "What an invoice's lines draw from credits, and grant, is in the ledger; a void one is given back.",
    meaning: "An invoice was paid with credit that nobody lost, or took credit that it does not show.",
    remedy: BY_HAND,
    of: "tenant",
    look: walking({
      part: rowsOf("invoice_document", ["invoice_id"]),
      found: ({ place }) => sql`
        select format('%s: its lines draw %s and grant %s; the ledger has %s drawn, %s granted, %s given back',
          number, -line.drawn, line.granted, -ledger.drawn, grants.granted, ledger.returned)
        from part
        join invoice on invoice.tenant_id = ${place} and invoice.id = part.invoice_id
        cross join lateral (
          select coalesce(sum(amount_minor) filter (where kind = 'CREDIT_DRAWN'), 0) as drawn,
            coalesce(sum(amount_minor) filter (where kind = 'CREDIT_GRANTED'), 0) as granted
          from invoice_line line where line.tenant_id = ${place} and line.invoice_id = part.invoice_id
        ) as line
        cross join lateral (
          select coalesce(sum(amount_minor) filter (where kind = 'DRAWN'), 0) as drawn,
            coalesce(sum(amount_minor) filter (where kind = 'RETURNED'), 0) as returned
          from credit_entry entry where entry.tenant_id = ${place} and entry.invoice_id = part.invoice_id
        ) as ledger
        cross join lateral (
          select coalesce(sum(amount_minor), 0) as granted from credit_grant credit
          where credit.tenant_id = ${place} and credit.invoice_id = part.invoice_id and source = 'INVOICE'
        ) as grants
        where line.drawn <> ledger.drawn or line.granted <> grants.granted
          or ledger.returned <> case when invoice.state = 'VOID' then -ledger.drawn else 0 end`,
    }),
  },
  {
    name: "credit-notes",
    says: "The credit notes of an invoice follow one on the other, and take back no more than it was.",
    meaning: "The same money was taken back twice.",
    remedy: "The numbers of both notes are above. What was given back twice is for you to claim; the notes stand.",
    of: "tenant",
    look: walking({
      part: rowsOf("credit_note", ["id"]),
      found: ({ place }) => sql`
        select format('%s begins at %s, and the notes before it come to %s', number, before_minor, others.sum) from part
        cross join lateral (
          select coalesce(sum(amount_minor), 0) as sum from credit_note other
          where other.tenant_id = ${place} and other.invoice_id = part.invoice_id and other.sequence < part.sequence
        ) as others
        where before_minor <> others.sum or before_minor + amount_minor > value_minor`,
    }),
  },
];
