import { decimal, plain } from "../money.ts";

const INTEGER_DIGITS_MAX = 20;
const FRACTION_DIGITS_MAX = 12;
const NO_NUMBER = "must be a decimal number such as 12 or 0.5";

const PLAIN = /^(0|[1-9][0-9]{0,19})(\.[0-9]{1,12})?$/;
const SCIENTIFIC = /^-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}$/;

/**
 * An amount as a plain decimal, or what is wrong with it. `1e3`, as JSON may write a number, is 1000. Negative only where
 * it may be: `signed`.
 */
export function readAmount(text: string, { signed = false } = {}): { amount: string } | { problem: string } {
  if (!signed || !text.startsWith("-")) return readUnsigned(text);
  const read = text[1] === "-" ? { problem: NO_NUMBER } : readUnsigned(text.slice(1));
  return "amount" in read && /[1-9]/.test(read.amount) ? { amount: `-${read.amount}` } : read;
}

function readUnsigned(text: string): { amount: string } | { problem: string } {
  if (PLAIN.test(text)) return { amount: text };
  if (/^-0(\.0{1,12})?$/.test(text)) return { amount: "0" };
  if (/^-[0-9]/.test(text)) return { problem: "must not be negative" };
  const value = SCIENTIFIC.test(text) ? plain(decimal(text)) : text;
  if (PLAIN.test(value)) return { amount: value };
  const [whole = "", fraction = ""] = value.split(".");
  if (/^[0-9]+$/.test(whole) && /^[0-9]*$/.test(fraction)) {
    if (whole.length > INTEGER_DIGITS_MAX) return { problem: `has more than ${INTEGER_DIGITS_MAX} digits` };
    if (fraction.length > FRACTION_DIGITS_MAX) {
      return { problem: `has more than ${FRACTION_DIGITS_MAX} digits after the point` };
    }
  }
  return { problem: NO_NUMBER };
}
