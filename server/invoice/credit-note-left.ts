import { sql } from "kysely";
import type { InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { formatId, parseId } from "../id.ts";
import { type Decimal, decimal, fromMinor, toMinor, zero } from "../money.ts";
import { one } from "../pricing/price-step.ts";
import { stateConflict } from "../rpc/errors.ts";
import { type BilledLine, chargesLeft, type Rerating } from "./adjustment-line.ts";
import { shareUpTo, type Takeable } from "./credit-note-amounts.ts";
import { fractionOf } from "./invoice-tax.ts";
import { billedFor } from "./rerated-invoice.ts";
import { type Terms, totalOf } from "./settlement.ts";
import { chargesByPeriod, type NoteAmounts, takenCharges } from "./taken-charges.ts";
import { keptTerms } from "./terms.ts";

// What later invoices gave back of an invoice, because its period cost less when it was priced again, is not there for a
// credit note any more.

/** What a new note can take. */
export interface Left {
  /** In all, tax included. */
  mostMinor: bigint;
  /** Of that, without naming lines. */
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
  let isWhole = true;
  let inOrder = 0n; // what can be taken period by period, up to the first that others gave back some of
  for (const [period, charged] of chargesByPeriod(id, lines)) {
    const own = charged - totalOf(takenBefore.filter((taken) => taken.invoiceId === period));
    const billed = billedOf.get(period);
    const ofAll = billed ? atLeast0(chargesLeft(billed)) : own;
    charges.set(period, own < ofAll ? own : ofAll);
    if (isWhole) inOrder += charges.get(period) ?? 0n;
    if (ofAll >= own) continue;
    isWhole = false;
    givenBackBy.push(...gaveBack(billed?.adjustments ?? []));
  }
  const taken = totalOf(notes.map((note) => ({ amountMinor: note.amount_minor })));
  const whole = there.value - taken;
  if (isWhole) return { mostMinor: whole, amountMinor: whole, charges, givenBackBy };
  // Rounded down, so that its charges are not more than there are.
  const upTo =
    there.charges > 0n ? (there.value * (shareUpTo(there.charges, taken, there.value) + inOrder)) / there.charges : 0n;
  const mostMinor = atLeast0(whole - (await paidBack(tx, tenantId, billedOf.get(id))));
  const amountMinor = atLeast0(upTo - taken);
  return { mostMinor, amountMinor: amountMinor < mostMinor ? amountMinor : mostMinor, charges, givenBackBy };
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

/**
 * What the customer got with the charges that others gave back, at most: less what percentages took off, with the tax that
 * was added. It may be a larger share than that of the charges, where the terms were others, or a fixed amount was taken
 * off of the charges and not off of what came back.
 */
async function paidBack(tx: Tx, tenantId: string, billed: Rerating | undefined): Promise<bigint> {
  if (!billed || billed.adjustments.length === 0) return 0n;
  const { currency } = billed.invoice;
  const documents = await tx
    .selectFrom("invoice_document")
    .select(["number", "discounts", "taxes"])
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`number = any(${billed.adjustments.map(({ number }) => number)})`)
    .execute();
  const factorOf = new Map(
    documents.map((document) => [document.number, factor(keptTerms({ currency }, document, []))]),
  );
  const given = billed.adjustments.reduce(
    (sum, { line, number }) =>
      sum.minus(decimal(fromMinor(line.amountMinor, currency)).times(factorOf.get(number) ?? one)),
    zero,
  );
  return atLeast0(toMinor(given, currency));
}

/** What one of charges comes to, after percentages and with the tax that is added. */
function factor({ discounts, taxRates }: Terms): Decimal {
  const left = discounts.reduce((rest, { percent }) => rest.times(one.minus(fractionOf(percent ?? "0"))), one);
  const added = taxRates.filter(({ inclusive }) => !inclusive);
  return left.times(added.reduce((sum, { percent }) => sum.plus(fractionOf(percent)), one));
}

function gaveBack(adjustments: readonly BilledLine[]): string[] {
  return adjustments.filter(({ line }) => line.amountMinor < 0n).map(({ number }) => number);
}

function periodIds(charges: ReadonlyMap<string, bigint>): string[] {
  return [...charges.keys()].flatMap((id) => parseId("inv", id) ?? []);
}

function atLeast0(minor: bigint): bigint {
  return minor > 0n ? minor : 0n;
}
