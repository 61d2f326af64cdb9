import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import {
  type LineVerification,
  LineVerificationSchema,
  VerifyInvoiceResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { stateConflict } from "../rpc/errors.ts";
import { recountUsage } from "../usage/usage-recount.ts";
import { sequenceOf } from "./document-number.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { getInvoiceRow } from "./invoice.ts";
import { ledgerAgrees, ledgerOf } from "./invoice-ledger.ts";
import { storedLines, toInvoiceLine } from "./invoice-line.ts";
import { taxesToJson } from "./invoice-tax.ts";
import { frozenReratings } from "./rerated-invoice.ts";
import { type Settlement, totalOf } from "./settlement.ts";
import { keptTerms } from "./terms.ts";

/** Works a finalized invoice out again from raw events, and compares. All that it reads is never changed. */
export function verifyInvoice(app: Pick<App, "db">, tenantId: string, id: string) {
  return inTenant(app.db, tenantId, async (tx) => {
    const invoice = await getInvoiceRow(tx, tenantId, id);
    if (invoice.state === "DRAFT") throw stateConflict(`invoice "${id}" is a draft: nothing of it is stored yet`);
    const document = await getDocument(tx, tenantId, invoice.id);
    const ledger = await ledgerOf(tx, tenantId, invoice.id);
    const rows = await storedLines(tx, tenantId, [invoice.id]);
    const recount = await linesOfDrafts(tx, tenantId, [invoice], {
      countUsage: (tx, tenantId, spans) => recountUsage(tx, tenantId, spans, document.usage_number),
      reratingsOf: async (tx, tenantId) => [await frozenReratings(tx, tenantId, document.sequence, rows)],
      phaseNumber: document.phase_number,
      terms: [keptTerms(invoice, document, ledger.drawn)],
    });
    const stored = new Map(rows.map((row) => [row.position, toInvoiceLine(row)]));
    const { lines: recomputed, taxes } = recount.settlements[0] as Settlement;
    const lines = compareLines(stored, new Map(recomputed.entries()));
    const total = totalOf(recomputed);
    const numberMatches = document.in_place && sequenceOf(document.number) === document.sequence;
    const taxesMatch = isDeepStrictEqual(document.taxes, taxesToJson(taxes));
    const creditsMatch = ledgerAgrees(ledger, invoice, [...stored.values()]);
    const linesMatch = lines.every((line) => line.matches) && document.total_minor === total;
    return create(VerifyInvoiceResponseSchema, {
      id: formatId("inv", invoice.id),
      number: document.number,
      matches: linesMatch && taxesMatch && creditsMatch && numberMatches,
      lines,
      currency: invoice.currency,
      totalMinor: document.total_minor,
      recomputedTotalMinor: total,
      numberMatches,
      usageFold: document.usage_number,
      taxesMatch,
      creditsMatch,
    });
  });
}

/** The document, and whether its neighbours in the count are there. One statement: another may be finalized just now. */
async function getDocument(tx: Tx, tenantId: string, invoiceId: string) {
  const neighbour = (distance: number) =>
    sql<boolean>`exists (
      select from invoice_document where tenant_id = ${tenantId} and sequence = document.sequence + ${distance}::integer
    )`;
  return tx
    .selectFrom("invoice_document as document")
    .innerJoin("invoice_counter as counter", "counter.tenant_id", "document.tenant_id")
    .selectAll("document")
    .select(
      sql<boolean>`(document.sequence = 1 or ${neighbour(-1)})
        and (document.sequence = counter.last_sequence or ${neighbour(1)})`.as("in_place"),
    )
    .where("document.tenant_id", "=", tenantId)
    .where("counter.tenant_id", "=", tenantId)
    .where("invoice_id", "=", invoiceId)
    .executeTakeFirstOrThrow();
}

/** Lines that stand in the same place, side by side. */
function compareLines(stored: Map<number, InvoiceLine>, recomputed: Map<number, InvoiceLine>): LineVerification[] {
  const places = new Set([...stored.keys(), ...recomputed.keys()]);
  return [...places]
    .sort((a, b) => a - b)
    .map((place) => {
      const left = stored.get(place);
      const right = recomputed.get(place);
      return create(LineVerificationSchema, {
        matches: left !== undefined && right !== undefined && factsOf(left) === factsOf(right),
        ...(left ? { stored: left } : {}),
        ...(right ? { recomputed: right } : {}),
      });
    });
}

/** What must be the same: everything but the words, in which a metric's unit may have changed since. */
function factsOf(line: InvoiceLine): string {
  const { kind, priceKey, metric, dimensions, quantity, exactAmount, adjustedInvoiceId, discountId } = line;
  const group = Object.entries(dimensions).sort(); // as stored, in no order
  const amounts = [quantity, String(line.amountMinor), exactAmount];
  const parts = line.steps.map((step) => [
    step.quantity,
    step.unitAmount,
    step.amount,
    step.invoiceNumber,
    step.creditNoteNumber,
  ]);
  return JSON.stringify([kind, priceKey, metric, group, ...amounts, adjustedInvoiceId, discountId, parts]);
}
