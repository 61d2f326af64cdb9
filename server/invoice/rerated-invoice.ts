import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import type { BilledLine, Rerating } from "./adjustment-line.ts";
import { joinFinal } from "./final-invoice.ts";
import type { InvoiceRow } from "./invoice.ts";
import { type InvoiceLineRow, linesAdjusting, storedLines, toInvoiceLine } from "./invoice-line.ts";

// A final invoice waits in `invoice_rerating` to be priced again. The earliest draft of its subscription carries the line
// for it, and no other: so each such line counts all that were before it.

type NumberedInvoice = Rerating["invoice"];

const timeZone = sql`(
  select time_zone from subscription
  where subscription.tenant_id = invoice.tenant_id and subscription.id = invoice.subscription_id
) as time_zone`;

/** A void invoice is not priced again, though it may still wait. */
const waiting = (tenantId: string) => sql`
  from invoice_rerating rerating ${joinFinal(tenantId, sql`rerating.invoice_id`)}
  where rerating.tenant_id = ${tenantId} and invoice.state not in ('DRAFT', 'VOID')`;

/**
 * Of each subscription that is over and has no draft, the earliest that waits: no invoice comes by itself to carry it. Of
 * these subscriptions, or of all.
 */
export async function strandedInvoices(
  tx: Tx,
  tenantId: string,
  subscriptionIds?: readonly string[],
): Promise<InvoiceRow[]> {
  const asked = subscriptionIds ? sql`and rerating.subscription_id = any(${subscriptionIds})` : sql``;
  const { rows } = await sql<InvoiceRow>`
    select distinct on (invoice.subscription_id) invoice.* ${waiting(tenantId)} ${asked}
      and exists (
        select from subscription
        where subscription.tenant_id = ${tenantId} and subscription.id = invoice.subscription_id and due_at is null
      )
      and not exists (
        select from invoice draft
        where draft.tenant_id = ${tenantId} and draft.customer_id = invoice.customer_id
          and draft.subscription_id = invoice.subscription_id and draft.state = 'DRAFT'
      )
    order by invoice.subscription_id, invoice.period_start, invoice.id`.execute(tx);
  return rows;
}

/** Those that wait of some subscriptions, in the order of their periods. */
export async function waitingInvoices(
  tx: Tx,
  tenantId: string,
  subscriptionIds: readonly string[],
): Promise<NumberedInvoice[]> {
  const { rows } = await sql<NumberedInvoice>`
    select invoice.*, document.number, ${timeZone} ${waiting(tenantId)} and rerating.subscription_id = any(${subscriptionIds})
    order by invoice.period_start, invoice.id`.execute(tx);
  return rows;
}

/** What each of some drafts prices again, as of now. */
export async function waitingReratings(tx: Tx, tenantId: string, drafts: readonly InvoiceRow[]): Promise<Rerating[][]> {
  const invoices = await waitingInvoices(tx, tenantId, [...new Set(drafts.map((draft) => draft.subscription_id))]);
  if (invoices.length === 0) return drafts.map(() => []);
  const reratings = await withBilled(tx, tenantId, invoices);
  const carriers = await carriersOf(tx, tenantId, drafts);
  return drafts.map((draft) =>
    reratings.filter(({ invoice }) => invoice.subscription_id === draft.subscription_id && carriers.has(draft.id)),
  );
}

/** What a final invoice priced again: that its lines say so, and what they counted as billed, holds whatever is voided. */
export async function frozenReratings(
  tx: Tx,
  tenantId: string,
  sequence: bigint,
  lines: readonly InvoiceLineRow[],
): Promise<Rerating[]> {
  const adjusting = lines.filter((line) => line.adjusted_invoice_id !== null);
  if (adjusting.length === 0) return [];
  const { rows } = await sql<NumberedInvoice>`
    select invoice.*, document.number, ${timeZone}
    from unnest(${adjusting.map((line) => line.adjusted_invoice_id)}::uuid[]) with ordinality as line (adjusted_id, place)
    ${joinFinal(tenantId, sql`line.adjusted_id`)}
    order by place`.execute(tx);
  const counted = adjusting.flatMap((line) => toInvoiceLine(line).steps.map((step) => step.invoiceNumber));
  return withBilled(tx, tenantId, rows, { before: sequence, counted });
}

/** The ids of those drafts that carry: of each subscription the earliest, which may be none of them. */
async function carriersOf(tx: Tx, tenantId: string, drafts: readonly InvoiceRow[]): Promise<Set<string>> {
  const { rows: stored } = await sql<Pick<InvoiceRow, "id" | "subscription_id" | "finalize_at">>`
    select distinct on (subscription_id) id, subscription_id, finalize_at
    from invoice
    where tenant_id = ${tenantId} and state = 'DRAFT' and customer_id = any(${drafts.map((draft) => draft.customer_id)})
      and subscription_id = any(${drafts.map((draft) => draft.subscription_id)})
    order by subscription_id, finalize_at, id`.execute(tx);
  const earliest = new Map<string, (typeof stored)[number]>();
  // A draft that is only looked at, such as a preview, is not stored.
  for (const draft of [...stored, ...drafts]) {
    const other = earliest.get(draft.subscription_id);
    if (!other || isBefore(draft, other)) earliest.set(draft.subscription_id, draft);
  }
  return new Set([...earliest.values()].map((draft) => draft.id));
}

function isBefore(a: Pick<InvoiceRow, "finalize_at" | "id">, b: Pick<InvoiceRow, "finalize_at" | "id">): boolean {
  const ms = a.finalize_at.getTime() - b.finalize_at.getTime();
  return ms < 0 || (ms === 0 && a.id < b.id);
}

/** Adds what was billed for the invoices: their own lines for prices, and those of other invoices that adjusted them. */
async function withBilled(
  tx: Tx,
  tenantId: string,
  invoices: readonly NumberedInvoice[],
  frozen?: { before: bigint; counted: readonly string[] },
): Promise<Rerating[]> {
  const ids = invoices.map((invoice) => invoice.id);
  const own = Map.groupBy(await storedLines(tx, tenantId, ids), (line) => line.invoice_id);
  const later = Map.groupBy(
    await linesAdjusting(tx, tenantId, ids, frozen),
    (line) => line.adjusted_invoice_id as string,
  );
  return invoices.map((invoice) => {
    const charges = (own.get(invoice.id) ?? []).filter(({ kind }) => kind === "PRICE" || kind === "MINIMUM");
    return {
      invoice,
      charges: charges.map(toInvoiceLine),
      adjustments: (later.get(invoice.id) ?? []).map(
        (row): BilledLine => ({ line: toInvoiceLine(row), number: row.number }),
      ),
    };
  });
}
