import type { InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { formatId, parseId } from "../id.ts";
import { fromMinor } from "../money.ts";
import { stateConflict } from "../rpc/errors.ts";
import { type BilledLine, chargesLeft } from "./adjustment-line.ts";
import { shareUpTo, type Takeable } from "./credit-note-amounts.ts";
import { billedFor } from "./rerated-invoice.ts";
import { chargesByPeriod, type NoteAmounts, takenCharges } from "./taken-charges.ts";

// What later invoices gave back of an invoice, because its period cost less when it was priced again, is not there for a
// credit note any more.

/** What a new note can take. */
export interface Left {
  /** In all, tax included, without naming lines. */
  amountMinor: bigint;
  /** Of the charges for each period: by its invoice, `inv_...`. */
  charges: ReadonlyMap<string, bigint>;
  /** Numbers of the invoices that gave back some, as far as that is not there any more. */
  givenBackBy: readonly string[];
}

/** What is left of an invoice after its notes, and after what others gave back of it. */
export async function leftToTake(
  tx: Tx,
  tenantId: string,
  invoiceId: string,
  lines: readonly InvoiceLine[],
  there: Takeable,
  notes: readonly NoteAmounts[],
): Promise<Left> {
  const id = formatId("inv", invoiceId);
  const takenBefore = takenCharges(id, lines, notes);
  const billedOf = new Map(
    (await billedFor(tx, tenantId, periodIds(chargesByPeriod(id, lines)))).map((billed) => [
      formatId("inv", billed.invoice.id),
      billed,
    ]),
  );
  const charges = new Map<string, bigint>();
  const givenBackBy: string[] = [];
  let inOrder = 0n; // what can be taken period by period, up to the first that others gave back some of
  for (const [period, charged] of chargesByPeriod(id, lines)) {
    const own = charged - sumOf(takenBefore.filter((taken) => taken.invoiceId === period));
    const billed = billedOf.get(period);
    const ofAll = billed ? atLeast0(chargesLeft(billed)) : own;
    charges.set(period, own < ofAll ? own : ofAll);
    if (givenBackBy.length === 0) inOrder += charges.get(period) ?? 0n;
    if (ofAll < own) givenBackBy.push(...gaveBack(billed?.adjustments ?? []));
  }
  const taken = sumOf(notes.map((note) => ({ amountMinor: note.amount_minor })));
  const whole = there.value - taken;
  if (givenBackBy.length === 0) return { amountMinor: whole, charges, givenBackBy };
  // Rounded down, so that its charges are not more than there are.
  const upTo =
    there.charges > 0n ? (there.value * (shareUpTo(there.charges, taken, there.value) + inOrder)) / there.charges : 0n;
  const amountMinor = atLeast0(upTo - taken);
  return { amountMinor: amountMinor < whole ? amountMinor : whole, charges, givenBackBy };
}

/** Refuses a note that takes charges which others gave back already. `notes`: those before it. */
export function checkNotGivenBack(
  invoice: { id: string; currency: string },
  lines: readonly InvoiceLine[],
  notes: readonly NoteAmounts[],
  note: NoteAmounts,
  left: Left,
): void {
  const id = formatId("inv", invoice.id);
  const before = takenCharges(id, lines, notes).length;
  for (const { invoiceId, amountMinor } of takenCharges(id, lines, [...notes, note]).slice(before)) {
    const most = left.charges.get(invoiceId) ?? 0n;
    if (amountMinor <= most) continue;
    const words = (minor: bigint) => `${fromMinor(minor, invoice.currency)} ${invoice.currency}`;
    throw stateConflict(
      `this takes back charges of ${words(amountMinor)}; only ${words(most)} of them is left, as ${left.givenBackBy.join(", ")} gave back a part`,
    );
  }
}

function gaveBack(adjustments: readonly BilledLine[]): string[] {
  return adjustments.filter(({ line }) => line.amountMinor < 0n).map(({ number }) => number);
}

function periodIds(charges: ReadonlyMap<string, bigint>): string[] {
  return [...charges.keys()].flatMap((id) => parseId("inv", id) ?? []);
}

function sumOf(parts: readonly { amountMinor: bigint }[]): bigint {
  return parts.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
}

function atLeast0(minor: bigint): bigint {
  return minor > 0n ? minor : 0n;
}
