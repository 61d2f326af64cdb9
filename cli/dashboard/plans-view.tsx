import { Box } from "ink";
import type { ReactNode } from "react";
import { PeriodSchema, type Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { word } from "../output/text.ts";
import type { GridColumn } from "./grid.ts";
import { selectedOf } from "./list-state.ts";
import { ListView } from "./list-view.tsx";
import { Panel } from "./panel.tsx";
import { planLines } from "./plan-lines.ts";
import { bodyOf, type DashboardState } from "./state.ts";

const NONE = "There are none yet. Publish some: usageflow catalog push catalog.yaml";

const columns: GridColumn<Plan>[] = [
  { title: "PLAN", width: 16, value: ({ key }) => key },
  { title: "NAME", width: "rest", value: ({ name }) => name },
  { title: "VERSION", width: 7, value: ({ version }) => String(version), right: true },
  { title: "CURRENCY", width: 8, value: ({ currency }) => currency },
  { title: "PERIOD", width: 9, value: ({ period }) => word(PeriodSchema, period) },
  { title: "PRICES", width: 30, value: ({ prices }) => prices.map(({ key }) => key).join(", "), from: 110 },
];

/** Plans, and the one that keys act on with its tiers drawn. */
export function PlansView({ state }: { state: DashboardState }): ReactNode {
  const { width, height } = bodyOf(state.size);
  const plan = selectedOf(state.plans);
  const list = Math.min(Math.max(4, state.plans.shown.length + 3), Math.floor(height / 3));
  return (
    <Box flexDirection="column">
      <ListView title="Plans" list={state.plans} columns={columns} none={NONE} width={width} height={list} />
      <Panel
        title={plan?.key ?? "Prices"}
        width={width}
        height={height - list}
        lines={plan ? planLines(plan, width - 4) : []}
      />
    </Box>
  );
}
