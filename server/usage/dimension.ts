import { type RawBuilder, sql } from "kysely";
import type { DimensionFilter } from "../../gen/usageflow/v1/usage_pb.ts";

/** What a dimension's value must be, in the one form that a statement reads. */
export interface DimensionTest {
  /** The dimension's place among those that the metric declares, from 1. 0: it declares no such; its value is ''. */
  place: number;
  values: string[];
  /** Whether it must be none of the values. */
  negated: boolean;
}

/** What of a metric's row says by what its usage is told apart. */
interface Declared {
  dimensions: readonly string[];
}

/** What is wrong with filters and groups over a metric's dimensions, if something is. */
export function dimensionProblem(
  { key, dimensions }: Declared & { key: string },
  { filter, groupBy }: { filter: readonly DimensionFilter[]; groupBy: readonly string[] },
): { field: string; message: string } | undefined {
  const filtered = filter.map(({ property }, i) => ({ property, field: `filter[${i}].property` }));
  const grouped = groupBy.map((property, i) => ({ property, field: `group_by[${i}]` }));
  const unknown = [...filtered, ...grouped].find(({ property }) => !dimensions.includes(property));
  if (unknown) {
    const declared = dimensions.length === 0 ? "none" : dimensions.join(", ");
    const message = `must be a dimension of the metric "${key}", which declares ${declared}, and is "${unknown.property}"`;
    return { field: unknown.field, message };
  }
  const again = filter.findIndex(({ property }, i) => filter.findIndex((one) => one.property === property) < i);
  if (again < 0) return undefined;
  const { property, field } = filtered[again] as (typeof filtered)[number];
  return { field, message: `must be unique, and there is a filter on "${property}" before` };
}

/** The places of dimensions among those that a metric declares. */
export function placesOf({ dimensions }: Declared, properties: readonly string[]): number[] {
  return properties.map((property) => dimensions.indexOf(property) + 1);
}

/** The tests of a filter over a metric's dimensions. */
export function testsOf(metric: Declared, filter: readonly DimensionFilter[]): DimensionTest[] {
  return filter.map((one) => ({ place: metric.dimensions.indexOf(one.property) + 1, ...valuesOf(one) }));
}

function valuesOf({ test }: DimensionFilter): Pick<DimensionTest, "values" | "negated"> {
  switch (test.case) {
    case "equals":
      return { values: [test.value], negated: false };
    case "in":
      return { values: test.value.values, negated: false };
    case "exists":
      return { values: [""], negated: test.value };
    case undefined:
      throw new Error("a filter without a test");
  }
}

/** The tests that usage of one group of values passes, and no other. */
export function testsOfGroup(places: readonly number[], values: readonly string[]): DimensionTest[] {
  return places.map((place, i) => ({ place, values: [values[i] ?? ""], negated: false }));
}

/** Whether usage of an event's properties passes a filter, as buckets of its metric tell it apart. */
export function passes(
  metric: Declared,
  filter: readonly DimensionFilter[],
  properties: Record<string, string>,
): boolean {
  return testsOf(metric, filter).every(({ place, values, negated }) => {
    const property = metric.dimensions[place - 1] ?? "";
    const value = Object.hasOwn(properties, property) ? properties[property] : "";
    return values.includes(value ?? "") !== negated;
  });
}

/** The condition that `dimensions`, an array of values, passes `tests`, which are `DimensionTest`s as jsonb. */
export function passesTests(dimensions: RawBuilder<unknown>, tests: RawBuilder<unknown>) {
  return sql`not exists (
    select from jsonb_to_recordset(${tests}) as test (place integer, "values" text[], negated boolean)
    where (coalesce((${dimensions})[place], '') = any ("values")) = negated
  )`;
}

/** Those of `dimensions`, an array of values, that stand in `places`, an array of integers. */
export function valuesAt(dimensions: RawBuilder<unknown>, places: RawBuilder<unknown>) {
  return sql`array(
    select coalesce((${dimensions})[place], '') from unnest(${places}) with ordinality as chosen (place, rank) order by rank
  )`;
}
