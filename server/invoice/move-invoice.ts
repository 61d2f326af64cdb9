import { type Invoice, InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { appendEvents } from "../outbox/append-event.ts";
import type { Caller } from "../rpc/caller.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { creditNotesOf } from "./credit-note.ts";
import { getInvoice, getInvoiceRow } from "./invoice.ts";
import { changeState } from "./invoice-change.ts";

/** Where an invoice that is final can come to: from which states, and which event tells of it. */
const MOVES = {
  PAID: { from: ["FINALIZED", "UNCOLLECTIBLE"], event: "invoice.paid" },
  VOID: { from: ["FINALIZED", "UNCOLLECTIBLE"], event: "invoice.voided" },
  UNCOLLECTIBLE: { from: ["FINALIZED"], event: "invoice.uncollectible" },
} as const;

/** A step in the life of an invoice that is final. */
export interface Move {
  to: keyof typeof MOVES;
  /** In tenant time. */
  at: Date;
  note: string;
  /** When it was paid, on the way to PAID. */
  paidAt?: Date;
}

/** Moves an invoice to another state, tells of it, and answers it. One that is there already is answered as it is. */
export async function moveInvoice(tx: Tx, caller: Caller, id: string, move: Move): Promise<Invoice> {
  const { tenantId, keyId } = caller;
  const row = await getInvoiceRow(tx, tenantId, id);
  const before = await getInvoice(tx, tenantId, id);
  noteBefore(tx, InvoiceSchema, before);
  if (row.state === move.to) return before;
  const { from, event } = MOVES[move.to];
  if (!(from as readonly string[]).includes(row.state)) {
    throw stateConflict(`invoice "${id}" is ${row.state} and cannot become ${move.to}`);
  }
  const moved = await changeState(tx, tenantId, [row.id], {
    from_state: row.state,
    to_state: move.to,
    changed_at: move.at,
    key_id: keyId,
    note: move.note,
    paid_at: move.paidAt ?? null,
  });
  // Another call was first. Where the invoice is now decides; its life goes one way, so this ends.
  if (moved.length === 0) return moveInvoice(tx, caller, id, move);
  // Only now, because a note that is just being made holds the invoice.
  if (move.to === "VOID" && (await creditNotesOf(tx, tenantId, [row.id])).length > 0) {
    throw stateConflict(
      `invoice "${id}" has credit notes, and cannot become VOID: take back the rest with another one`,
    );
  }
  const invoice = await getInvoice(tx, tenantId, id);
  await appendEvents(tx, tenantId, [{ type: event, occurredAt: move.at, facts: { invoice } }]);
  return invoice;
}
