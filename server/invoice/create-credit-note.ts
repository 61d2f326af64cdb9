import { create, toJson } from "@bufbuild/protobuf";
import { sql } from "kysely";
import {
  type CreditNoteLine,
  CreditNoteLineSchema,
  CreditNoteSettlement,
} from "../../gen/usageflow/v1/credit_note_pb.ts";
import type { InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import {
  type CreateCreditNoteRequest,
  CreateCreditNoteResponseSchema,
  type CreditNoteLinePart,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { newId } from "../id.ts";
import { fromMinor } from "../money.ts";
import { appendEvents } from "../outbox/append-event.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid, stateConflict } from "../rpc/errors.ts";
import { makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { holdReratings } from "./ask-rerating.ts";
import { grantCredit } from "./credit.ts";
import { type CreditNoteRow, creditNotesOf, linesOf, toCreditNote } from "./credit-note.ts";
import { amountOfCharges, outcomeOf, type Takeable, type Taken, takeable, taxOf } from "./credit-note-amounts.ts";
import { checkNotGivenBack, type Left, leftToTake } from "./credit-note-left.ts";
import { documentNumber, takeSequences } from "./document-number.ts";
import { getInvoiceRow } from "./invoice.ts";
import { storedLines, toInvoiceLine } from "./invoice-line.ts";
import { taxesFromJson } from "./invoice-tax.ts";
import { isCharge, totalOf } from "./settlement.ts";

const PREFIX = "CN-";

/** Takes an invoice back, wholly or in part: makes the note, and grants the credit that comes of it. */
export function createCreditNote(app: App, caller: Caller, request: CreateCreditNoteRequest) {
  const { tenantId, keyId } = caller;
  return change(app, caller, CreateCreditNoteResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    await holdFinalizations(tx, tenantId, now);
    const invoice = await getInvoiceRow(tx, tenantId, request.invoiceId);
    const paid = await holdInvoice(tx, tenantId, invoice.id, request.invoiceId);
    const lines = (await storedLines(tx, tenantId, [invoice.id])).map(toInvoiceLine);
    const before = await creditNotesOf(tx, tenantId, [invoice.id]);
    const there = takeable(lines, taxesFromJson(invoice.taxes));
    const left = await leftToTake(tx, tenantId, invoice.id, lines, there, before);
    const { amount, parts } = amountOf(request.scope, lines, there, before, left);
    const taken = takenBy(before);
    // Lines that are named need not be those that others gave back.
    const most = parts.length > 0 ? left.mostMinor : left.amountMinor;
    checkLeft(most, amount, invoice.currency, most < there.value - taken.amount ? left.givenBackBy : []);
    const refund = request.settlement === CreditNoteSettlement.REFUND;
    const { dueReduced, credited, refunded } = outcomeOf(there, taken, amount, { paid, refund });
    const { customer_id, currency, number: invoice_number } = invoice;
    if (credited > 0n) {
      const note = `taken back of ${invoice_number}`;
      const from = { source: "CREDIT_NOTE", invoiceId: invoice.id, note } as const;
      await grantCredit(tx, tenantId, { customerId: customer_id, currency, amountMinor: credited, ...from }, now);
    }
    const sequence = await takeSequences(tx, tenantId, "credit_note_counter", 1);
    const row: CreditNoteRow = {
      tenant_id: tenantId,
      id: newId(),
      invoice_id: invoice.id,
      customer_id,
      sequence,
      number: documentNumber(PREFIX, sequence),
      value_minor: there.value,
      before_minor: taken.amount,
      amount_minor: amount,
      tax_minor: taxOf(there, taken, amount),
      due_reduced_minor: dueReduced,
      credited_minor: credited,
      refunded_minor: refunded,
      settlement: refund ? "REFUND" : "CREDIT",
      lines: parts.map((part) => toJson(CreditNoteLineSchema, part)),
      reason: request.reason,
      created_at: now,
      key_id: keyId,
    };
    checkNotGivenBack(invoice, lines, before, row, left);
    await tx
      .insertInto("credit_note")
      .values({ ...row, lines: JSON.stringify(row.lines) })
      .execute();
    // What is final has a number.
    const creditNote = toCreditNote({ ...row, currency, invoice_number: invoice_number as string });
    await appendEvents(tx, tenantId, [{ type: "credit_note.created", occurredAt: now, facts: { creditNote } }]);
    return create(CreateCreditNoteResponseSchema, { creditNote });
  });
}

/**
 * Keeps invoices from becoming final, and from being voided, until the transaction ends: one may be about to give back
 * what the note takes. Before all other locks: see `due.ts`.
 */
async function holdFinalizations(tx: Tx, tenantId: string, now: Date): Promise<void> {
  await holdReratings(tx, tenantId, now);
  await makeDue(tx, tenantId, "FINALIZE_INVOICES", now); // there may be no row to hold yet, and a draft may come
}

/** Keeps the invoice as it is until the transaction ends, refuses what cannot be taken back, and says whether it is paid. */
async function holdInvoice(tx: Tx, tenantId: string, invoiceId: string, id: string): Promise<boolean> {
  const { rows } = await sql<{ state: string }>`select hold_invoice(${tenantId}, ${invoiceId}) as state`.execute(tx);
  const state = rows[0]?.state;
  if (state === "DRAFT" || state === "VOID") {
    throw stateConflict(`invoice "${id}" is ${state}: there is nothing to take back of it`);
  }
  return state === "PAID";
}

/** What is asked for, tax included; and the lines that it names. */
function amountOf(
  scope: CreateCreditNoteRequest["scope"],
  lines: readonly InvoiceLine[],
  there: Takeable,
  before: readonly CreditNoteRow[],
  left: Left,
): { amount: bigint; parts: CreditNoteLine[] } {
  const taken = takenBy(before);
  if (scope.case === "amountMinor") return { amount: scope.value, parts: [] };
  if (scope.case !== "lines") return { amount: left.amountMinor, parts: [] };
  const takenOfLine = Map.groupBy(before.flatMap(linesOf), (line) => line.position);
  const parts = scope.value.lines.map((asked, at, all) => {
    const field = `lines.lines[${at}]`;
    if (all.findIndex(({ position }) => position === asked.position) !== at) {
      throw invalid(`${field}.position`, "is named twice");
    }
    const line = lines[asked.position - 1];
    if (!line || !isCharge(line))
      throw invalid(
        `${field}.position`,
        `is ${asked.position}, and the charges of the invoice are 1 to ${lines.filter(isCharge).length}`,
      );
    return partOf(line, asked, totalOf(takenOfLine.get(asked.position) ?? []), `${field}.amount_minor`);
  });
  return { amount: amountOfCharges(there, taken, totalOf(parts)), parts };
}

function partOf(line: InvoiceLine, asked: CreditNoteLinePart, taken: bigint, field: string): CreditNoteLine {
  const left = line.amountMinor - taken;
  const amountMinor = asked.amountMinor ?? left;
  if (left <= 0n) throw stateConflict(`nothing is left to take back of line ${asked.position}`);
  if (amountMinor > left)
    throw invalid(field, `must be at most ${left} in minor units: so much is left of line ${asked.position}`);
  return create(CreditNoteLineSchema, { position: asked.position, amountMinor, description: line.description });
}

function checkLeft(left: bigint, amount: bigint, currency: string, givenBackBy: readonly string[]): void {
  const because = givenBackBy.length > 0 ? `, as ${givenBackBy.join(", ")} gave back a part` : "";
  if (left <= 0n) throw stateConflict(`nothing is left to take back of the invoice${because}`);
  if (amount <= 0n) throw stateConflict("this comes to nothing: there is nothing to take back");
  if (amount > left) {
    const words = (minor: bigint) => `${fromMinor(minor, currency)} ${currency}`;
    throw stateConflict(
      `this comes to ${words(amount)}; only ${words(left)} is left to take back of the invoice${because}`,
    );
  }
}

function takenBy(notes: readonly CreditNoteRow[]): Taken {
  const amount = notes.reduce((sum, note) => sum + note.amount_minor, 0n);
  return { amount, charges: totalOf(notes.flatMap(linesOf)) };
}
