import type { Tx } from "../db/database.ts";
import { adjustmentLine } from "./adjustment-line.ts";
import { type CountUsage, chargesOfDrafts, type DraftLines } from "./draft.ts";
import type { InvoiceRow } from "./invoice.ts";
import { waitingReratings } from "./rerated-invoice.ts";
import { type Settlement, settle, settleInTurn, type Terms } from "./settlement.ts";
import { discountPeriod, termsOfDrafts } from "./terms.ts";

/** Where the lines of drafts come from, other than what is now: for an invoice that is worked out again. */
export interface LineSources {
  countUsage?: CountUsage;
  /** What each draft prices again. */
  reratingsOf?: typeof waitingReratings;
  /** The last phase of their subscription that counts. Absent: all. */
  phaseNumber?: number;
  /** What each is settled under. */
  terms?: readonly Terms[];
  /** The drafts become final at this time, in their order: what one takes of a credit is not there for the next. */
  finalizedAt?: Date;
}

/** All lines of drafts, and how they were settled, in the order of the drafts. */
export interface DraftInvoiceLines extends DraftLines {
  settlements: Settlement[];
}

/**
 * Works out all lines of drafts, as of now, in the order in which they stand on the invoice. Each part builds on those
 * before it: first what the plan charges for the period, then what earlier periods cost otherwise now; of all that then
 * discounts, tax and credit.
 */
export async function linesOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly InvoiceRow[],
  { countUsage, reratingsOf = waitingReratings, phaseNumber, terms: kept, finalizedAt }: LineSources = {},
): Promise<DraftInvoiceLines> {
  const reratings = await reratingsOf(tx, tenantId, drafts);
  // Together, so that all count usage up to the same fold, and the same phases.
  const rated = [...drafts, ...reratings.flat().map(({ invoice }) => invoice)];
  const sources = { countUsage, phaseNumber };
  const { lines: rates, foldNumber, phaseNumbers } = await chargesOfDrafts(tx, tenantId, rated, sources);
  let place = drafts.length;
  const charges = reratings.map((its, i) => [
    ...(rates[i] ?? []),
    ...its.map((rerating) => adjustmentLine(rerating, rates[place++] ?? [])),
  ]);
  const terms = kept ?? (await termsOfDrafts(tx, tenantId, drafts, finalizedAt));
  const settlements = finalizedAt
    ? settleInTurn(charges, terms, (place) => discountPeriod(drafts[place] as InvoiceRow))
    : charges.map((lines, place) => settle(lines, terms[place] as Terms));
  return { lines: settlements.map(({ lines }) => lines), foldNumber, phaseNumbers, settlements };
}
