import type { Tx } from "../db/database.ts";
import { adjustmentLine } from "./adjustment-line.ts";
import { type CountUsage, chargesOfDrafts, type DraftLines } from "./draft.ts";
import type { InvoiceRow } from "./invoice.ts";
import { waitingReratings } from "./rerated-invoice.ts";

/** Where the lines of drafts come from, other than what is now: for an invoice that is worked out again. */
export interface LineSources {
  countUsage?: CountUsage;
  /** What each draft prices again. */
  reratingsOf?: typeof waitingReratings;
  /** The last phase of their subscription that counts. Absent: all. */
  phaseNumber?: number;
}

/**
 * Works out all lines of drafts, as of now, in the order in which they stand on the invoice. Each part builds on those
 * before it: first what the plan charges for the period, then what earlier periods cost otherwise now.
 */
export async function linesOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly InvoiceRow[],
  { countUsage, reratingsOf = waitingReratings, phaseNumber }: LineSources = {},
): Promise<DraftLines> {
  const reratings = await reratingsOf(tx, tenantId, drafts);
  // Together, so that all count usage up to the same fold, and the same phases.
  const rated = [...drafts, ...reratings.flat().map(({ invoice }) => invoice)];
  const sources = { countUsage, phaseNumber };
  const { lines: charges, foldNumber, phaseNumbers } = await chargesOfDrafts(tx, tenantId, rated, sources);
  let place = drafts.length;
  const lines = reratings.map((its, i) => [
    ...(charges[i] ?? []),
    ...its.map((rerating) => adjustmentLine(rerating, charges[place++] ?? [])),
  ]);
  return { lines, foldNumber, phaseNumbers };
}
