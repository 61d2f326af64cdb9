import type { DescEnum } from "@bufbuild/protobuf";
import { type Duration, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

// How values are written for people. Everything that came over the wire and is text goes through `printable`.

/** Text without control characters, so that data cannot act on a terminal or break a table. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}

/** A time in UTC, such as `2015-05-01 00:00`; with seconds where there are some. */
export function time(at: Timestamp | undefined): string {
  if (!at) return "";
  const text = timestampDate(at).toISOString().slice(0, 19).replace("T", " ");
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

/** When something was done, or is to be: such as `2015-05-01 00:00:00`, always with seconds. */
export function moment(at: Timestamp | undefined): string {
  return at ? timestampDate(at).toISOString().slice(0, 19).replace("T", " ") : "";
}

/** A time in a time zone, written alike. Without one: in UTC. */
export function timeIn(timeZone: string, at: Timestamp | undefined): string {
  if (!at) return "";
  const text = timestampDate(at).toLocaleString("sv-SE", { timeZone: timeZone || "UTC" }); // the locale that writes 2015-05-01 00:00:00
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

/** A day in UTC, such as `2015-05-01`. */
export function date(at: Timestamp | undefined): string {
  return at ? timestampDate(at).toISOString().slice(0, 10) : "";
}

/** A day in a time zone, written alike. */
export function dateIn(timeZone: string, at: Timestamp | undefined): string {
  return timeIn(timeZone, at).slice(0, "2015-05-01".length);
}

/** A span in the form that `clock advance --by` takes, such as `35d`. */
export function span(duration: Duration | undefined): string {
  let rest = duration?.seconds ?? 0n;
  let text = "";
  for (const [unit, seconds] of [
    ["d", 86_400n],
    ["h", 3_600n],
    ["m", 60n],
    ["s", 1n],
  ] as const) {
    if (rest >= seconds) text += `${rest / seconds}${unit}`;
    rest %= seconds;
  }
  return text || "0s";
}

// ISO 4217: active currencies whose minor unit is not a hundredth. The server has the same in `server/money.ts` (a test
// compares them), but the CLI imports nothing of it; and Intl will not do: it has other digits for fifteen currencies.
const NO_MINOR_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(" ");
const THREE_MINOR_DIGITS = "BHD IQD JOD KWD LYD OMR TND".split(" ");

/** Digits of the currency's minor unit: JPY 0, USD 2, KWD 3. */
export function minorDigits(currency: string): number {
  return NO_MINOR_DIGITS.includes(currency) ? 0 : THREE_MINOR_DIGITS.includes(currency) ? 3 : 2;
}

/** An amount with its currency, such as `35.22 USD`. */
export function money(minor: bigint, currency: string): string {
  const digits = minorDigits(currency);
  const text = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, "0");
  const cut = text.length - digits;
  const point = digits > 0 ? `.${text.slice(cut)}` : "";
  return `${minor < 0n ? "-" : ""}${text.slice(0, cut)}${point} ${currency}`;
}

/** A value of an enumeration in words, such as `in arrears`. */
export function word(schema: DescEnum, value: number): string {
  const name = schema.value[value]?.localName ?? String(value);
  return name.toLowerCase().replaceAll("_", " ");
}

/** `1 invoice`, `2 invoices`, `1,753 invoices`. */
export function count(n: number | bigint, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 || n === 1n ? "" : "s"}`;
}

/** A field's path as files and JSON write it: `events[0].occurredAt` for `events[0].occurred_at`. */
export function fieldPath(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
