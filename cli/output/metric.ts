import { AggregationSchema, type Metric } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Column, facts } from "./table.ts";
import { word } from "./text.ts";

/** A metric in full. */
export function metricText(metric: Metric): string {
  return facts({
    Metric: metric.key,
    Name: metric.name,
    Unit: metric.unit,
    Counts: word(AggregationSchema, metric.aggregation),
    "Values of": metric.uniqueProperty,
    Dimensions: metric.dimensions.join(", "),
    "Carries over": metric.carryOver ? "yes" : "",
  });
}

/** Columns of a list of metrics. */
export const metricColumns: Column<Metric>[] = [
  { title: "METRIC", value: (metric) => metric.key },
  { title: "NAME", value: (metric) => metric.name, cut: true },
  { title: "COUNTS", value: (metric) => word(AggregationSchema, metric.aggregation) },
  { title: "UNIT", value: (metric) => metric.unit, cut: true },
  { title: "DIMENSIONS", value: (metric) => metric.dimensions.join(", "), cut: true },
];
