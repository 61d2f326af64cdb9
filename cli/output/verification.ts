import type { LineVerification, VerifyInvoiceResponse } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { money, printable } from "./text.ts";

/** What differs in an invoice, one difference a line. */
export function differencesText(answer: VerifyInvoiceResponse): string {
  const { currency, totalMinor, recomputedTotalMinor } = answer;
  const told = answer.lines.flatMap((line, place) =>
    line.matches ? [] : [`line ${place + 1}, ${lineText(line, currency)}`],
  );
  if (totalMinor !== recomputedTotalMinor) {
    told.push(`total: ${money(totalMinor, currency)}, recomputed ${money(recomputedTotalMinor, currency)}`);
  }
  if (!answer.taxesMatch) told.push("taxes: they are not what the rates that the invoice keeps come to");
  if (!answer.creditsMatch) told.push("credit: the ledger does not say what the invoice says");
  if (!answer.numberMatches) told.push("number: it does not say its sequence, or one before or after it is missing");
  return printable(`${answer.number} differs:`) + told.map((line) => `\n  ${printable(line)}`).join("");
}

function lineText({ stored, recomputed }: LineVerification, currency: string): string {
  const name = stored?.priceKey || recomputed?.priceKey || stored?.description || recomputed?.description;
  if (!recomputed) return `${name}: there should be none`;
  if (!stored) return `${name}: missing, recomputed ${money(recomputed.amountMinor, currency)}`;
  const pairs = [
    ["price", stored.priceKey, recomputed.priceKey],
    ["metric", stored.metric, recomputed.metric],
    ["quantity", stored.quantity, recomputed.quantity],
    ["amount", money(stored.amountMinor, currency), money(recomputed.amountMinor, currency)],
    ["exact amount", stored.exactAmount, recomputed.exactAmount],
  ] as const;
  const different = pairs.filter(([, left, right]) => left !== right);
  const told = different.map(([name, left, right]) => `${name} ${left}, recomputed ${right}`);
  return `${name}: ${told.join("; ") || "the steps of its derivation"}`;
}
