import { create } from "@bufbuild/protobuf";
import { type DimensionFilter, DimensionFilterSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { CliError } from "../cli-error.ts";

/**
 * Filters from what a person wrote: `region=eu`; again with another value for one of several; `region` for usage that has
 * one, and `!region` for usage that has none.
 */
export function parseFilters(texts: readonly string[]): DimensionFilter[] {
  const byProperty = Map.groupBy(texts.map(parseFilter), ({ property }) => property);
  return [...byProperty].map(([property, given]) => {
    const values = given.flatMap(({ value }) => (value === undefined ? [] : [value]));
    if (values.length === given.length) {
      return create(DimensionFilterSchema, { property, test: { case: "in", value: { values: [...new Set(values)] } } });
    }
    if (given.length > 1) throw new CliError("usage", `--filter ${property} is given twice, with and without a value`);
    return create(DimensionFilterSchema, { property, test: { case: "exists", value: given[0]?.exists === true } });
  });
}

function parseFilter(text: string): { property: string; value?: string; exists: boolean } {
  const [, absent, property = "", value] = /^(!?)([^=!][^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  if (property === "" || (absent && value !== undefined)) {
    throw new CliError("usage", `"${text}" is no filter: write it like region=eu, region or !region`);
  }
  return { property, exists: !absent, ...(value === undefined ? {} : { value }) };
}
