import type { Tx } from "../db/database.ts";
import { type CountUsage, chargesOfDrafts, type Draft, type DraftLines } from "./draft.ts";

/**
 * Works out all lines of drafts, as of now, in the order in which they stand on the invoice. Each part builds on those
 * before it: first what the plan charges for the period.
 */
export async function linesOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly Draft[],
  countUsage?: CountUsage,
): Promise<DraftLines> {
  return chargesOfDrafts(tx, tenantId, drafts, countUsage);
}
