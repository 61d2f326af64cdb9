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

// ISO 4217, list one: the active currencies, by digits of the minor unit. Without funds, metals and test codes, and
// without the four currencies of other minor units (CLF, UYW, MGA, MRU), which no invoice here can be in.
const CURRENCIES: Record<number, string> = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
  2:
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP " +
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES " +
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD " +
    "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT " +
    "TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
  3: "BHD IQD JOD KWD LYD OMR TND",
};

const minorDigitsOf = new Map(
  Object.entries(CURRENCIES).flatMap(([digits, codes]) =>
    codes.split(" ").map((code) => [code, Number(digits)] as const),
  ),
);

/** Whether this is the code of a currency that an invoice can be in. */
export function isCurrency(code: string): boolean {
  return minorDigitsOf.has(code);
}

/** Digits of the currency's minor unit: JPY 0, USD 2, KWD 3. */
export function minorDigits(currency: string): number {
  const digits = minorDigitsOf.get(currency);
  if (digits === undefined) throw new Error(`no currency: ${currency}`);
  return digits;
}

/** The one place where money is rounded: to minor units, half away from zero. */
export function toMinor(amount: Decimal, currency: string): bigint {
  const digits = minorDigits(currency);
  const scaled = amount.times(new Decimal(`1e${digits}`));
  return BigInt(scaled.round(0, Big.roundHalfUp).toFixed(0)); // big.js rounds halves away from zero
}

/** The minor units that an amount is exactly, or undefined when it is finer than the currency has them. */
export function exactMinor(amount: Decimal, currency: string): bigint | undefined {
  const minor = toMinor(amount, currency);
  return decimal(fromMinor(minor, currency)).eq(amount) ? minor : undefined;
}

/** Minor units as people write them, such as `17.22`. */
export function fromMinor(minor: bigint, currency: string): string {
  const digits = minorDigits(currency);
  const negative = minor < 0n;
  const text = (negative ? -minor : minor).toString().padStart(digits + 1, "0");
  const cut = text.length - digits;
  return `${negative ? "-" : ""}${text.slice(0, cut)}${digits > 0 ? `.${text.slice(cut)}` : ""}`;
}
