import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Package, Percentage, Price, Tiers } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, exactMinor, isCurrency, minorDigits, plain, zero } from "../money.ts";
import { invalid } from "../rpc/errors.ts";

const hundred = decimal("100");

/**
 * Refuses a price that contradicts itself, with the path of the first field at fault and what it may be. The contract's
 * own limits have been checked. What it refers to is not looked at.
 */
export function checkPrice(path: string, price: Price): void {
  const { model } = price;
  if (model.case === "flat") checkFlat(path, price);
  if (model.case === "graduated" || model.case === "volume") checkTiers(`${path}.${model.case}`, model.value);
  if (model.case === "package") checkPackage(`${path}.package`, model.value);
  if (model.case === "percentage") {
    checkPercentage(`${path}.percentage`, model.value);
    if (price.includedQuantity) {
      throw wrong(`${path}.included_quantity`, "must be empty: a percentage has free_events and free_amount instead");
    }
  }
  checkBounds(`${path}.maximum_amount`, price.minimumAmount, price.maximumAmount);
}

/** Refuses a currency that no invoice can be in. */
export function checkCurrency(path: string, currency: string): void {
  if (!isCurrency(currency)) throw wrong(path, `must be an ISO 4217 code such as USD, and is "${currency}"`);
}

/** An amount of money that somebody is to get, in minor units: more than 0, and nothing finer than the currency has. */
export function moneyOf({ currency, amount }: { currency: string; amount: string }): bigint {
  if (!isCurrency(currency)) {
    throw invalid("currency", `currency: must be an ISO 4217 code such as USD, and is "${currency}"`);
  }
  const minor = exactMinor(decimal(amount), currency);
  if (minor === undefined) {
    throw invalid(
      "amount",
      `amount: must have at most ${minorDigits(currency)} digits after the point, in ${currency}`,
    );
  }
  if (minor === 0n) throw invalid("amount", "amount: must be more than 0");
  return minor;
}

/** The refusal of a field of a price or of a catalog. */
export function wrong(path: string, message: string): Error {
  return invalid(path, message, ErrorReason.INVALID_CATALOG);
}

function checkFlat(path: string, { includedQuantity, minimumAmount, maximumAmount, filter, groupBy }: Price): void {
  const message = "must be empty: a flat price does not depend on usage";
  if (includedQuantity) throw wrong(`${path}.included_quantity`, message);
  if (minimumAmount) throw wrong(`${path}.minimum_amount`, message);
  if (maximumAmount) throw wrong(`${path}.maximum_amount`, message);
  if (filter.length > 0) throw wrong(`${path}.filter`, message);
  if (groupBy.length > 0) throw wrong(`${path}.group_by`, message);
}

function checkTiers(path: string, { tiers }: Tiers): void {
  let floor = zero;
  for (const [i, { upTo }] of tiers.entries()) {
    const field = `${path}.tiers[${i}].up_to`;
    const last = i === tiers.length - 1;
    if (last && upTo) throw wrong(field, "must be empty: the last tier has no bound");
    if (!last && !upTo) throw wrong(field, "must be given: only the last tier has no bound");
    if (!upTo) continue;
    const bound = decimal(upTo);
    if (bound.lte(floor)) throw wrong(field, `must be more than ${plain(floor)}, where this tier begins`);
    floor = bound;
  }
}

function checkPackage(path: string, { size }: Package): void {
  if (decimal(size).lte(zero)) throw wrong(`${path}.size`, "must be more than 0");
}

function checkPercentage(path: string, { percent, minPerEvent, maxPerEvent }: Percentage): void {
  if (decimal(percent).gt(hundred)) throw wrong(`${path}.percent`, `must be at most 100, and is ${percent}`);
  checkBounds(`${path}.max_per_event`, minPerEvent, maxPerEvent);
}

function checkBounds(maximumPath: string, minimum: string, maximum: string): void {
  if (!maximum) return;
  const most = decimal(maximum);
  if (most.lte(zero)) throw wrong(maximumPath, "must be more than 0, or empty for no maximum");
  if (minimum && most.lt(decimal(minimum))) throw wrong(maximumPath, `must not be less than the minimum, ${minimum}`);
}
