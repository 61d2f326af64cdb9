import { CliError } from "./cli-error.ts";
import { minorDigits } from "./output/text.ts";

/** The minor units of an amount that a person wrote in the currency's major unit, such as `12.34`. */
export function parseMoney(text: string, currency: string): bigint {
  const digits = minorDigits(currency);
  const [, whole, fraction = ""] = /^(\d{1,15})(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > digits) {
    const example = digits === 0 ? "12" : `12.${"34000".slice(0, digits)}`;
    throw new CliError("usage", `"${text}" is no amount of ${currency}: write it like ${example}`);
  }
  return BigInt(whole + fraction.padEnd(digits, "0"));
}
