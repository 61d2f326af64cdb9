import { fromJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import Big from "big.js";
import fc from "fast-check";
import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { DimensionTest } from "../../server/usage/dimension.ts";
import type { UsageGroup, UsageSpan } from "../../server/usage/usage-span.ts";

// Usage of every shape, and what it comes to by the plainest reckoning: one event after the other, in big.js.

const HOUR_MS = 3_600_000;

/** The metrics, by what they count; `STOCK` is a level that is carried over. All have two dimensions. */
export const shapes: Record<string, string> = {
  SUM: "SUM",
  COUNT: "COUNT",
  MAX: "MAX",
  UNIQUE: "UNIQUE",
  LATEST: "LATEST",
  LEVEL: "WEIGHTED_SUM",
  STOCK: "WEIGHTED_SUM",
};

export const dimensions = ["region", "model"];

export const shapedCatalog: Catalog = fromJson(CatalogSchema, {
  metrics: Object.entries(shapes).map(([key, aggregation]) => ({
    key,
    aggregation: `AGGREGATION_${aggregation}`,
    dimensions,
    carryOver: key === "STOCK",
    ...(aggregation === "UNIQUE" ? { uniqueProperty: "user" } : {}),
  })),
});

/** An event, in the fewest words. */
export interface Reported {
  key: string;
  metric: string;
  customerId: string;
  amount: string;
  /** Milliseconds since 1970. */
  at: number;
  properties: Record<string, string>;
}

/** Reports between two times, many of them at whole hours and beside them. Their keys are to be given. */
export function reportsIn(from: number, to: number): fc.Arbitrary<Omit<Reported, "key">> {
  return fc
    .record({
      metric: fc.constantFrom(...Object.keys(shapes)),
      customerId: fc.constantFrom("ann", "bob"),
      amount: fc.constantFrom("0", "1", "0.1", "12.500", "3.333333333333", "99999999999999999999.000000000001"),
      down: fc.boolean(),
      at: timesIn(from, to),
      properties: fc.record(
        { region: fc.constantFrom("eu", "us", "é", ""), model: fc.constantFrom("a", "B") },
        { requiredKeys: [] },
      ),
      user: fc.constantFrom("u1", "u2", "u3"),
    })
    .map(({ amount, down, user, properties, ...rest }) => ({
      ...rest,
      amount: down && shapes[rest.metric] === "WEIGHTED_SUM" ? `-${amount}` : amount,
      properties: { ...properties, user },
    }));
}

/** Times between two, many of them at whole hours and beside them. */
export function timesIn(from: number, to: number): fc.Arbitrary<number> {
  const hour = fc.nat({ max: Math.floor((to - from) / HOUR_MS) }).map((count) => from + count * HOUR_MS);
  const edge = fc.tuple(hour, fc.constantFrom(-1, 0, 1)).map(([at, rest]) => at + rest);
  return fc.oneof(edge, fc.integer({ min: from, max: to }));
}

/** A report as it is tracked. */
export function toEvent({ key, at, ...rest }: Reported) {
  return { ...rest, idempotencyKey: key, occurredAt: timestampFromMs(at) };
}

/** What `usageTotals` has to answer for a span, of these events. No customer: of all, as if they were one. */
export function reckon(span: UsageSpan, events: readonly Reported[]): UsageGroup[] {
  const [start, end] = [span.start.getTime(), span.end.getTime()];
  const valueAt = (event: Reported, place: number) => event.properties[dimensions[place - 1] ?? ""] ?? "";
  const passes = (event: Reported) => (test: DimensionTest) =>
    test.values.includes(valueAt(event, test.place)) !== test.negated;
  const counted = events.filter(
    (event) =>
      event.metric === span.metric &&
      (span.customerId === "" || event.customerId === span.customerId) &&
      event.at < end &&
      (event.at >= start || span.carryOver === true) &&
      (span.tests ?? []).every(passes(event)),
  );
  const groupOf = (event: Reported) => (span.groupBy ?? []).map((place) => valueAt(event, place));
  const groups = [...Map.groupBy(counted, (event) => JSON.stringify(groupOf(event)))]
    .filter(([, its]) => its.some((event) => event.at >= start) || !sum(its).eq(0))
    .map(([values, its]): UsageGroup => ({ values: JSON.parse(values), quantity: quantityOf(span, its) }));
  if (!span.groupBy?.length && groups.length === 0) return [{ values: [], quantity: "0" }];
  return groups.sort((a, b) => compare(a.values, b.values));
}

function quantityOf({ aggregation, start, end }: UsageSpan, events: readonly Reported[]): string {
  switch (aggregation) {
    case "SUM":
      return sum(events).toFixed();
    case "COUNT":
      return String(events.length);
    case "MAX":
      return events.reduce((most, { amount }) => (Big(amount).gt(most) ? Big(amount) : most), Big("0")).toFixed();
    case "UNIQUE":
      return String(new Set(events.map((event) => event.properties.user)).size);
    case "LATEST":
      return Big(events.toSorted((a, b) => b.at - a.at || compare([b.key], [a.key]))[0]?.amount ?? "0").toFixed();
    default: {
      const from = (event: Reported) => Math.max(event.at, start.getTime());
      const weighted = events.map((event) => Big(event.amount).times(Big(String(end.getTime() - from(event)))));
      const total = weighted.reduce((all, one) => all.plus(one), Big("0"));
      const exact = Big();
      exact.DP = 200; // more digits than any rest of such a division can hide behind
      const average = new exact(total.toFixed()).div(String(end.getTime() - start.getTime()));
      return average.round(12, Big.roundHalfUp).toFixed();
    }
  }
}

function sum(events: readonly Reported[]): Big {
  return events.reduce((all, { amount }) => all.plus(Big(amount)), Big("0"));
}

function compare(left: readonly string[], right: readonly string[]): number {
  for (const [i, value] of left.entries()) {
    const order = Buffer.compare(Buffer.from(value), Buffer.from(right[i] ?? ""));
    if (order !== 0) return order;
  }
  return 0;
}
