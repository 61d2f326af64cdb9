import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";

/** Any catalog that can be published: metrics of several kinds, plans with prices of every model and all terms. */
export function anyCatalog(): fc.Arbitrary<Catalog> {
  return fc
    .uniqueArray(anyPlan(), { minLength: 1, maxLength: 3, selector: (plan) => plan.key })
    .map((plans) => fromJson(CatalogSchema, { metrics, plans }));
}

const SUM = "CALLS";
const metrics = [
  { key: SUM, aggregation: "AGGREGATION_SUM", unit: "no" },
  { key: "VISITORS.v2", name: "1.0", aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user id" },
  { key: "peak-load", aggregation: "AGGREGATION_MAX" },
];

function anyKey() {
  return fc.oneof(
    fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/),
    fc.constantFrom("no", "null", "y", "e1", "true", "prices"),
  );
}

/** A text of names: everything but control characters, and what YAML would take for something else. */
function anyText() {
  const odd = fc.constantFrom(
    "",
    "no",
    "~",
    "1.0",
    "0x1f",
    "*a",
    "&a",
    "- b",
    "a: b",
    "#",
    " ",
    "'",
    '"',
    "{",
    "\u2028",
  );
  const any = fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replace(/[\u0000-\u001f\u007f]/g, ""));
  return fc.oneof(odd, any);
}

function anyDecimal(digits: number, places: number) {
  return fc
    .tuple(fc.stringMatching(new RegExp(`^[0-9]{1,${digits}}$`)), fc.stringMatching(new RegExp(`^[0-9]{0,${places}}$`)))
    .map(([whole, fraction]) => (fraction ? `${whole}.${fraction}` : whole));
}

function anyAmount() {
  return anyDecimal(12, 18);
}

function orNone(value: fc.Arbitrary<string>) {
  return fc.oneof(fc.constant(""), value);
}

function anyModel(): fc.Arbitrary<JsonObject> {
  const flat = fc.record({
    amount: anyAmount(),
    timing: fc.constantFrom("FLAT_TIMING_UNSPECIFIED", "FLAT_TIMING_IN_ADVANCE", "FLAT_TIMING_IN_ARREARS"),
  });
  const percentage = fc.record({
    percent: anyDecimal(2, 18),
    fixedAmount: orNone(anyAmount()),
    freeEvents: fc.nat(),
    freeAmount: orNone(anyDecimal(20, 12)),
    minPerEvent: orNone(anyAmount()),
  });
  const metered = fc.oneof(
    fc.record({ perUnit: fc.record({ unitAmount: anyAmount() }) }),
    fc.record({ graduated: anyTiers() }),
    fc.record({ volume: anyTiers() }),
    fc.record({ package: fc.record({ size: anyDecimal(19, 12).map((size) => `1${size}`), amount: anyAmount() }) }),
  );
  const terms = fc.record({
    metric: fc.constantFrom(...metrics.map(({ key }) => key)),
    includedQuantity: orNone(anyDecimal(20, 12)),
    minimumAmount: orNone(anyAmount()),
  });
  return fc.oneof(
    flat.map((flat) => ({ flat })),
    percentage.map((percentage) => ({ percentage, metric: SUM })),
    fc.tuple(metered, terms).map(([model, rest]) => ({ ...model, ...rest })),
  );
}

/** Tiers in order: bounds grow, and the last one has none. */
function anyTiers(): fc.Arbitrary<JsonObject> {
  const bounds = fc.uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 19n }), { maxLength: 4 });
  const amounts = fc.array(fc.record({ unitAmount: orNone(anyAmount()), flatAmount: orNone(anyAmount()) }), {
    minLength: 5,
    maxLength: 5,
  });
  return fc.record({ bounds, amounts, billFlatAtZero: fc.boolean() }).map(({ bounds, amounts, billFlatAtZero }) => {
    const sorted = bounds.sort((a, b) => (a < b ? -1 : 1));
    const tiers = [...sorted.map(String), ""].map((upTo, i) => ({ upTo, ...amounts[i] }));
    return { tiers, billFlatAtZero };
  });
}

function anyPlan() {
  const price = fc
    .tuple(fc.record({ key: anyKey(), name: anyText() }), anyModel())
    .map(([named, model]): JsonObject & { key: string } => ({ ...named, ...model }));
  return fc.record({
    key: anyKey(),
    name: anyText(),
    currency: fc.constantFrom("USD", "JPY", "KWD"),
    period: fc.constant("PERIOD_MONTHLY"),
    minimumAmount: orNone(anyAmount()),
    prices: fc.uniqueArray(price, { minLength: 1, maxLength: 4, selector: ({ key }) => key }),
  });
}
