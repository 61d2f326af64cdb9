import { Box } from "ink";
import type { ReactNode } from "react";
import { AggregationSchema, type Metric } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Customer } from "../../gen/usageflow/v1/tenant_pb.ts";
import type { GetUsageResponse } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { date, word } from "../output/text.ts";
import type { GridColumn } from "./grid.ts";
import { type Line, line, lineOf } from "./line.ts";
import { selectedOf } from "./list-state.ts";
import { ListView } from "./list-view.tsx";
import { Panel } from "./panel.tsx";
import { columns, grouped, sparkline } from "./sparkline.ts";
import { bodyOf, type DashboardState, monthOf, usageKey } from "./state.ts";
import { digits } from "./words.ts";

const SPARK_WIDTH = 31; // a month of days

/** Usage of this month by metric; of a metric, by customer; and of the one that keys act on, day by day. */
export function UsageView({ state }: { state: DashboardState }): ReactNode {
  const { width, height } = bodyOf(state.size);
  const { metric, metrics, customers, usage } = state;
  const chart = Math.max(6, Math.floor(height / 3));
  const box = { width, height: height - chart };
  const here = metric === "" ? (selectedOf(metrics)?.key ?? "") : metric;
  const customer = metric === "" ? undefined : selectedOf(customers);
  const month = date(monthOf(state).start).slice(0, "2015-05".length);
  const series = usage.get(usageKey(here, customer?.id));
  const title = customer ? `${here} of ${customer.id}, by day` : `${here || "Usage"} by day`;
  return (
    <Box flexDirection="column">
      {metric === "" ? (
        <ListView
          title={`${month} by metric`}
          list={metrics}
          columns={metricColumns(usage)}
          none={NO_METRICS}
          {...box}
        />
      ) : (
        <ListView
          title={`${metric} in ${month} by customer`}
          list={customers}
          columns={customerColumns(metric, usage)}
          none={NO_CUSTOMERS}
          {...box}
        />
      )}
      <Panel title={title} width={width} height={chart} lines={chartLines(series, width - 4, chart - 2)} />
    </Box>
  );
}

const NO_METRICS = "Nothing is measured yet. Publish metrics: usageflow catalog push catalog.yaml";
const NO_CUSTOMERS = "There are no customers yet. They come with their usage.";

type Usage = DashboardState["usage"];

function metricColumns(usage: Usage): GridColumn<Metric>[] {
  const of = ({ key }: Metric) => usage.get(usageKey(key));
  return [
    { title: "METRIC", width: 20, value: ({ key }) => key },
    { title: "NAME", width: "rest", value: ({ name }) => name, from: 90 },
    { title: "COUNTED BY", width: 12, value: ({ aggregation }) => word(AggregationSchema, aggregation), from: 130 },
    { title: "QUANTITY", width: 20, value: (metric) => quantity(of(metric)), right: true },
    { title: "EVENTS", width: 12, value: (metric) => events(of(metric)), right: true, from: 70 },
    { title: "BY DAY", width: SPARK_WIDTH, value: (metric) => spark(of(metric)), color: () => "cyan", from: 90 },
  ];
}

function customerColumns(metric: string, usage: Usage): GridColumn<Customer>[] {
  const of = ({ id }: Customer) => usage.get(usageKey(metric, id));
  return [
    { title: "CUSTOMER", width: "rest", value: ({ id }) => id },
    { title: "NAME", width: 16, value: ({ name }) => name, from: 110 },
    { title: "QUANTITY", width: 20, value: (customer) => quantity(of(customer)), right: true },
    { title: "EVENTS", width: 12, value: (customer) => events(of(customer)), right: true, from: 70 },
    { title: "BY DAY", width: SPARK_WIDTH, value: (customer) => spark(of(customer)), color: () => "cyan", from: 90 },
  ];
}

function quantity(usage: GetUsageResponse | undefined): string {
  return usage ? digits(usage.total?.quantity ?? "0") : "…";
}

function events(usage: GetUsageResponse | undefined): string {
  return usage ? digits(String(usage.total?.eventCount ?? 0n)) : "";
}

// Only for the drawing: what is read stays the decimal that came.
function numbers({ points }: GetUsageResponse): number[] {
  return points.map(({ quantity }) => Math.max(0, Number(quantity)));
}

function spark(usage: GetUsageResponse | undefined): string {
  return usage ? sparkline(grouped(numbers(usage), SPARK_WIDTH)) : "";
}

function chartLines(usage: GetUsageResponse | undefined, width: number, height: number): Line[] {
  if (!usage) return [];
  const values = numbers(usage);
  const wide = Math.max(1, Math.min(6, Math.floor(width / Math.max(1, values.length))));
  const gap = wide > 2 ? 1 : 0;
  const drawn = columns(values, Math.max(1, height - 1)).map((text) =>
    Array.from(text, (cell) => cell.repeat(wide - gap) + " ".repeat(gap)).join(""),
  );
  const [first, last] = [date(usage.points[0]?.start), date(usage.points.at(-1)?.start)];
  const between = Math.max(1, values.length * wide - first.length - last.length);
  const axis =
    values.length * wide >= first.length + last.length + 1
      ? `${first}${" ".repeat(between)}${last}`
      : `${first} – ${last}`;
  return [...drawn.map((text) => line(text, { color: "cyan" })), lineOf({ text: axis, dim: true })];
}
