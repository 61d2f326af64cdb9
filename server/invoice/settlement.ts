import { create } from "@bufbuild/protobuf";
import {
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceLineSchema,
  type InvoiceLineStep,
  type InvoiceTax,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { type Decimal, decimal, fromMinor, plain, toMinor } from "../money.ts";
import { one, step, sumOf } from "../pricing/price-step.ts";
import { fractionOf, type Rate, taxesOn } from "./invoice-tax.ts";

// What comes after the charges of an invoice, in the only order that is right: discounts, each of what those before it
// left; tax on what is left then; and credit, last, because it is a way to pay and takes no tax away.

/** A discount that covers an invoice's period: a percentage, or what is left of an amount. */
export interface DiscountTerms {
  /** As callers see it, `dsc_...`. */
  id: string;
  name: string;
  /** A decimal. */
  percent: string | null;
  /** What is left of a fixed amount in the period. */
  leftMinor: bigint | null;
}

/** A credit that can be drawn. */
export interface CreditTerms {
  grantId: string;
  note: string;
  leftMinor: bigint;
}

/** What an invoice is settled under. */
export interface Terms {
  currency: string;
  /** In the order in which they take off. */
  discounts: readonly DiscountTerms[];
  taxRates: readonly Rate[];
  /** In the order in which they are drawn. */
  credits: readonly CreditTerms[];
}

/** What a settlement takes of one credit. */
export interface Draw {
  grantId: string;
  /** More than 0. */
  amountMinor: bigint;
}

/** A whole invoice: its lines, and what they mean for the taxes and the customer's credits. */
export interface Settlement {
  /** The charges, and the lines after them. */
  lines: InvoiceLine[];
  taxes: InvoiceTax[];
  /** The discounts as it found them: with what was left of their amounts. */
  discounts: readonly DiscountTerms[];
  draws: Draw[];
  /** What the invoice owes the customer, and grants as credit. */
  grantedMinor: bigint;
}

/** Settles the charges of an invoice. The sum of the lines is what is owed, and never less than 0. */
export function settle(charges: readonly InvoiceLine[], terms: Terms): Settlement {
  const { discounts } = terms;
  if (charges.length === 0) return { lines: [], taxes: [], discounts, draws: [], grantedMinor: 0n };
  const taxed = [...charges, ...discountLines(totalOf(charges), terms)];
  const taxes = taxesOn(totalOf(taxed), terms.taxRates, terms.currency);
  const lines = [...taxed, ...taxes.filter((tax) => !tax.inclusive).map((tax) => taxLine(tax, terms.currency))];
  const due = totalOf(lines);
  if (due < 0n) {
    const granted = grantedLine(-due, terms.currency);
    return { lines: [...lines, granted], taxes, discounts, draws: [], grantedMinor: -due };
  }
  const draws = drawsOf(due, terms.credits);
  const drawn = draws.length > 0 ? [drawnLine(draws, terms)] : [];
  return { lines: [...lines, ...drawn], taxes, discounts, draws, grantedMinor: 0n };
}

/**
 * Settles invoices one after the other: what one takes of a credit, or of a discount's amount for a period, is not there for
 * the next. `periodOf` names the period that the discounts of an invoice are for.
 */
export function settleInTurn(
  charges: readonly (readonly InvoiceLine[])[],
  terms: readonly Terms[],
  periodOf: (place: number) => string,
): Settlement[] {
  const taken = new Map<string, bigint>();
  const take = (key: string, minor: bigint) => taken.set(key, (taken.get(key) ?? 0n) + minor);
  return charges.map((lines, place) => {
    const its = terms[place] as Terms;
    const inPeriod = (discountId: string) => `${discountId} ${periodOf(place)}`;
    const settlement = settle(lines, {
      ...its,
      discounts: its.discounts.map((discount) => ({
        ...discount,
        leftMinor: discount.leftMinor === null ? null : discount.leftMinor - (taken.get(inPeriod(discount.id)) ?? 0n),
      })),
      credits: its.credits.map((credit) => ({
        ...credit,
        leftMinor: credit.leftMinor - (taken.get(credit.grantId) ?? 0n),
      })),
    });
    for (const line of settlement.lines) if (line.discountId) take(inPeriod(line.discountId), -line.amountMinor);
    for (const { grantId, amountMinor } of settlement.draws) take(grantId, amountMinor);
    return settlement;
  });
}

/** What lines, or parts of them, come to in minor units: the sum of what each was rounded to. */
export function totalOf(lines: readonly { readonly amountMinor: bigint }[]): bigint {
  return lines.reduce((total, line) => total + line.amountMinor, 0n);
}

/** The kinds of line that come after the charges, by the part of the total that they are. */
const SETTLING = {
  discount: [InvoiceLineKind.DISCOUNT],
  tax: [InvoiceLineKind.TAX],
  credit: [InvoiceLineKind.CREDIT_DRAWN, InvoiceLineKind.CREDIT_GRANTED],
} satisfies Record<string, InvoiceLineKind[]>;

/** Whether a line bills something, and is no discount, tax or credit on top of what is billed. */
export function isCharge({ kind }: Pick<InvoiceLine, "kind">): boolean {
  return !Object.values<InvoiceLineKind[]>(SETTLING).some((kinds) => kinds.includes(kind));
}

/** The parts of an invoice's total, by what its lines are. */
export function partsOf(lines: readonly InvoiceLine[]) {
  const of = (kinds: InvoiceLineKind[]) => totalOf(lines.filter((line) => kinds.includes(line.kind)));
  return {
    subtotalMinor: totalOf(lines.filter(isCharge)),
    discountMinor: -of(SETTLING.discount),
    taxMinor: of(SETTLING.tax),
    creditMinor: -of(SETTLING.credit),
  };
}

/** The lines of discounts that take something off, or give it back. */
function discountLines(subtotalMinor: bigint, { discounts, currency }: Terms): InvoiceLine[] {
  let restMinor = subtotalMinor;
  return discounts.flatMap((discount) => {
    const line = discountLine(discount, restMinor, currency);
    restMinor += line.amountMinor;
    return line.amountMinor === 0n ? [] : [line];
  });
}

function discountLine({ id, name, percent, leftMinor }: DiscountTerms, restMinor: bigint, currency: string) {
  const kind = InvoiceLineKind.DISCOUNT;
  if (percent !== null) {
    const steps = [partOf(restMinor, fractionOf(percent).neg(), `${percent}%`, currency)];
    return lineOf({ kind, description: `${name} (${percent}%)`, discountId: id }, steps, currency);
  }
  const mostMinor = leftMinor ?? 0n;
  const offMinor = restMinor < mostMinor ? restMinor : mostMinor;
  const steps = [whole(offMinor > 0n ? -offMinor : 0n, name, currency)];
  return lineOf({ kind, description: name, discountId: id }, steps, currency);
}

function taxLine({ name, percent, baseMinor }: InvoiceTax, currency: string): InvoiceLine {
  const steps = [partOf(baseMinor, fractionOf(percent), `${percent}%`, currency)];
  return lineOf({ kind: InvoiceLineKind.TAX, description: `${name} (${percent}%)` }, steps, currency);
}

/** Takes from one credit after the other, until all is paid or nothing is left. */
function drawsOf(dueMinor: bigint, credits: readonly CreditTerms[]): Draw[] {
  let restMinor = dueMinor;
  return credits.flatMap(({ grantId, leftMinor }) => {
    const amountMinor = leftMinor < restMinor ? leftMinor : restMinor;
    if (amountMinor <= 0n) return [];
    restMinor -= amountMinor;
    return [{ grantId, amountMinor }];
  });
}

/** One line for all credits; its steps name them. */
function drawnLine(draws: readonly Draw[], { credits, currency }: Terms): InvoiceLine {
  const notes = new Map(credits.map(({ grantId, note }) => [grantId, note]));
  const steps = draws.map((draw) => whole(-draw.amountMinor, notes.get(draw.grantId) || "credit", currency));
  return lineOf({ kind: InvoiceLineKind.CREDIT_DRAWN, description: "Paid with credit" }, steps, currency);
}

function grantedLine(amountMinor: bigint, currency: string): InvoiceLine {
  const steps = [whole(amountMinor, "granted as credit", currency)];
  return lineOf({ kind: InvoiceLineKind.CREDIT_GRANTED, description: "Granted as credit" }, steps, currency);
}

function lineOf(
  what: { kind: InvoiceLineKind; description: string; discountId?: string },
  steps: InvoiceLineStep[],
  currency: string,
): InvoiceLine {
  const exact = sumOf(steps);
  return create(InvoiceLineSchema, {
    ...what,
    quantity: "1",
    amountMinor: toMinor(exact, currency),
    exactAmount: plain(exact),
    steps,
  });
}

/** A fraction of an amount, which is named in words too. */
function partOf(minor: bigint, fraction: Decimal, words: string, currency: string): InvoiceLineStep {
  const base = fromMinor(minor, currency);
  return step(decimal(base), fraction, `${words} of ${base}`);
}

function whole(minor: bigint, description: string, currency: string): InvoiceLineStep {
  return step(one, decimal(fromMinor(minor, currency)), description);
}
