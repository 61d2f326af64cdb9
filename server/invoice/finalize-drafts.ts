import { toJson } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type InvoiceLine, InvoiceLineKindSchema, InvoiceLineStepSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { formatId, parseId } from "../id.ts";
import { traceFrom } from "../observe/trace.ts";
import { beginIn, followsFrom, traceOf } from "../observe/tx-trace.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { watchUsage } from "../usage/usage-watch.ts";
import { type BillingDetails, detailsColumns, detailsOfDrafts } from "./billing-details.ts";
import { grantCredits } from "./credit.ts";
import { moveCredits } from "./credit-entry.ts";
import { documentNumber, invoicePrefix, takeSequences } from "./document-number.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { type InvoiceRow, toInvoice } from "./invoice.ts";
import { changeState, toInvoiceChange } from "./invoice-change.ts";
import { taxesToJson } from "./invoice-tax.ts";
import { type Settlement, totalOf } from "./settlement.ts";
import { discountOf, discountsToJson } from "./terms.ts";

// Lines in one statement: what is made for it at once, nobody else can work beside.
const LINES_MAX = 1_000;

/** An invoice that becomes final. */
interface Final {
  invoice: InvoiceRow;
  details: BillingDetails;
  phaseNumber: number;
  settlement: Settlement;
  sequence: bigint;
  number: string;
}

/**
 * Makes drafts final, in the order given: their lines are worked out for the last time and stored, credits are drawn and
 * granted, and they get the next numbers. `keyId` is the API key that asked for it; null: their time had come. The caller
 * has the right to finalize, and keeps folds out: each counts before, or hears that these periods are final.
 */
export async function finalizeDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly InvoiceRow[],
  { now, keyId }: { now: Date; keyId: string | null },
): Promise<void> {
  const spans = drafts.map(({ trace }) => beginIn(tx, "invoice.finalize", followsFrom(traceFrom(trace), traceOf(tx))));
  const { settlements, foldNumber, phaseNumbers } = await linesOfDrafts(tx, tenantId, drafts, { finalizedAt: now });
  const ids = drafts.map((draft) => draft.id);
  const step = { from_state: "DRAFT", to_state: "FINALIZED", changed_at: now, key_id: keyId, note: "", paid_at: null };
  const moved = await changeState(tx, tenantId, ids, step);
  if (moved.length !== ids.length) throw new Error("an invoice that is no draft was to be finalized");
  const details = await detailsOfDrafts(tx, tenantId, drafts, now);
  const prefix = await invoicePrefix(tx, tenantId);
  const firstSequence = await takeSequences(tx, tenantId, "invoice_counter", drafts.length);
  const finals = drafts.map((draft, i): Final => {
    const sequence = firstSequence + BigInt(i);
    const invoice = { ...draft, state: "FINALIZED" };
    const parts = {
      phaseNumber: phaseNumbers[i] as number,
      details: details[i] as BillingDetails,
      settlement: settlements[i] as Settlement,
    };
    return { invoice, ...parts, sequence, number: documentNumber(prefix, sequence) };
  });
  await tx
    .insertInto("invoice_document")
    .values(
      finals.map((final) => ({
        tenant_id: tenantId,
        invoice_id: final.invoice.id,
        sequence: final.sequence,
        number: final.number,
        total_minor: totalOf(final.settlement.lines),
        usage_number: foldNumber,
        phase_number: final.phaseNumber,
        finalized_at: now,
        ...detailsColumns(final.details),
        discounts: JSON.stringify(discountsToJson(final.settlement.discounts)),
        taxes: JSON.stringify(taxesToJson(final.settlement.taxes)),
      })),
    )
    .execute();
  await insertLines(tx, tenantId, finals);
  await dropReratings(
    tx,
    tenantId,
    settlements.flatMap(({ lines }) => lines),
  );
  const ended = drafts.filter((draft) => draft.kind === "IN_ARREARS");
  const watches = ended.map((draft) => ({ customerId: draft.customer_id, until: draft.period_end }));
  await watchUsage(tx, tenantId, "LATE_USAGE", watches);
  const events = finals.map(({ invoice, settlement, details, number }, i) => ({
    type: "invoice.finalized" as const,
    occurredAt: now,
    facts: {
      invoice: toInvoice(invoice, settlement, details, {
        number,
        finalized_at: now,
        changes: [toInvoiceChange(step)],
      }),
    },
    trace: spans[i]?.trace,
  }));
  await appendEvents(tx, tenantId, events);
  await settleCredits(tx, tenantId, finals, now);
  for (const [i, { id }] of drafts.entries()) spans[i]?.end({ invoice_id: formatId("inv", id) });
}

/** Draws the credits that the invoices were paid with, and grants what they came to less than nothing. */
async function settleCredits(tx: Tx, tenantId: string, finals: readonly Final[], now: Date): Promise<void> {
  const drawn = finals.flatMap(({ invoice, settlement }) =>
    settlement.draws.map(({ grantId, amountMinor }) => ({
      grantId,
      kind: "DRAWN" as const,
      amountMinor: -amountMinor,
      invoiceId: invoice.id,
    })),
  );
  await moveCredits(tx, tenantId, drawn, now);
  const granted = finals
    .filter(({ settlement }) => settlement.grantedMinor > 0n)
    .map(({ invoice, settlement, number }) => ({
      customerId: invoice.customer_id,
      currency: invoice.currency,
      amountMinor: settlement.grantedMinor,
      source: "INVOICE" as const,
      invoiceId: invoice.id,
      note: `from ${number}`,
    }));
  await grantCredits(tx, tenantId, granted, now);
}

/** What these lines price again waits no more. */
async function dropReratings(tx: Tx, tenantId: string, lines: readonly InvoiceLine[]): Promise<void> {
  const ids = lines.flatMap((line) => parseId("inv", line.adjustedInvoiceId) ?? []);
  if (ids.length === 0) return;
  await tx.deleteFrom("invoice_rerating").where("tenant_id", "=", tenantId).where("invoice_id", "in", ids).execute();
}

/** One parameter for the lines of a statement: they may have more columns than it can have parameters. */
async function insertLines(tx: Tx, tenantId: string, finals: readonly Final[]): Promise<void> {
  const lines = finals.flatMap(({ invoice, settlement }) =>
    settlement.lines.map((line, position) => ({
      line,
      place: { tenant_id: tenantId, invoice_id: invoice.id, position },
    })),
  );
  for (let from = 0; from < lines.length; from += LINES_MAX) {
    const rows = lines.slice(from, from + LINES_MAX).map(({ line, place }) => ({ ...place, ...columnsOf(line) }));
    const json = JSON.stringify(rows);
    await sql`insert into invoice_line select * from json_populate_recordset(null::invoice_line, ${json})`.execute(tx);
  }
}

function columnsOf(line: InvoiceLine) {
  return {
    kind: InvoiceLineKindSchema.value[line.kind]?.localName,
    price_key: line.priceKey,
    metric: line.metric,
    quantity: line.quantity,
    amount_minor: line.amountMinor.toString(),
    exact_amount: line.exactAmount,
    description: line.description,
    adjusted_invoice_id: parseId("inv", line.adjustedInvoiceId) ?? null,
    discount_id: discountOf(line),
    steps: line.steps.map((step) => toJson(InvoiceLineStepSchema, step)),
    dimensions: line.dimensions,
  };
}
