import Big from "big.js";

// Exact decimals. A constructor of our own, so that no other user of big.js can change its settings: strict refuses
// JavaScript numbers, and nothing that is added or multiplied is rounded.
const Decimal = Big();
Decimal.strict = true;

export type Decimal = Big;

/** The decimal that a text says, such as `0.0333`. */
export function decimal(text: string): Decimal {
  return new Decimal(text);
}

export const zero: Decimal = decimal("0");

/** The decimal as plain digits, without an exponent and without zeros at the end. */
export function plain(value: Decimal): string {
  const text = value.toFixed();
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// ISO 4217:2015 amendment 176: active currencies whose minor unit is not a hundredth.
const OTHER_MINOR_DIGITS: Record<string, number> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
};

const currencies = new Set(Intl.supportedValuesOf("currency"));

/** Whether this is the code of a currency that an invoice can be in. */
export function isCurrency(code: string): boolean {
  return currencies.has(code) && !code.startsWith("XT");
}

/** Digits of the currency's minor unit: JPY 0, USD 2, KWD 3. */
export function minorDigits(currency: string): number {
  return OTHER_MINOR_DIGITS[currency] ?? 2;
}

/** The one place where money is rounded: to minor units, half away from zero. */
export function toMinor(amount: Decimal, currency: string): bigint {
  const digits = minorDigits(currency);
  const scaled = amount.times(new Decimal(`1e${digits}`));
  return BigInt(scaled.round(0, Big.roundHalfUp).toFixed(0)); // big.js rounds halves away from zero
}

/** Minor units as people write them, such as `17.22`. */
export function fromMinor(minor: bigint, currency: string): string {
  const digits = minorDigits(currency);
  const negative = minor < 0n;
  const text = (negative ? -minor : minor).toString().padStart(digits + 1, "0");
  const cut = text.length - digits;
  return `${negative ? "-" : ""}${text.slice(0, cut)}${digits > 0 ? `.${text.slice(cut)}` : ""}`;
}
