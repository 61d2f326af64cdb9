import { Box } from "ink";
import type { ReactNode } from "react";
import { deliveryColumns } from "./delivery-columns.ts";
import { gridLines } from "./grid.ts";
import { line } from "./line.ts";
import { attemptLines, attemptsTitle, lagLines, rateLines, revenueLines } from "./overview-lines.ts";
import { Panel } from "./panel.tsx";
import { bodyOf, type DashboardState } from "./state.ts";

const TOP_MIN = 6;
const TWO_COLUMNS_FROM = 76;
const BORDERS_AND_PADDING = 4;

/** How things stand: what comes in, what it is worth, how it goes out, and what waits. */
export function OverviewView({ state }: { state: DashboardState }): ReactNode {
  const { width, height } = bodyOf(state.size);
  if (width < TWO_COLUMNS_FROM) return <Narrow state={state} />;
  const left = Math.ceil(width / 2);
  const right = width - left;
  const top = height >= 30 ? 9 : TOP_MIN;
  const last = height - top - TOP_MIN;
  return (
    <Box flexDirection="column">
      <Box>
        <Panel
          title={RATE}
          width={left}
          height={top}
          lines={rateLines(state.rate, left - BORDERS_AND_PADDING, top - 2)}
        />
        <Panel
          title={REVENUE}
          width={right}
          height={top}
          lines={revenueLines(state.revenues, right - BORDERS_AND_PADDING)}
        />
      </Box>
      <Box>
        <Panel
          title={attemptsTitle(state.activity)}
          width={left}
          height={TOP_MIN}
          lines={attemptLines(state.activity, left - BORDERS_AND_PADDING)}
        />
        <Panel title={LAG} width={right} height={TOP_MIN} lines={lagLines(state.rate, state.activity)} />
      </Box>
      {last >= 4 && <LastDeliveries state={state} width={width} height={last} />}
    </Box>
  );
}

const RATE = "Usage";
const REVENUE = "Open periods come to";
const LAG = "Workers";

function Narrow({ state }: { state: DashboardState }): ReactNode {
  const { width, height } = bodyOf(state.size);
  const inner = width - BORDERS_AND_PADDING;
  const revenue = Math.max(3, Math.min(2 + Math.max(1, state.revenues?.length ?? 1), 5));
  const rate = Math.max(5, Math.min(8, height - revenue - 2 * TOP_MIN));
  return (
    <Box flexDirection="column" height={height} overflow="hidden">
      <Panel title={RATE} width={width} height={rate} lines={rateLines(state.rate, inner, rate - 2)} />
      <Panel title={REVENUE} width={width} height={revenue} lines={revenueLines(state.revenues, inner)} />
      <Panel
        title={attemptsTitle(state.activity)}
        width={width}
        height={TOP_MIN}
        lines={attemptLines(state.activity, inner)}
      />
      <Panel title={LAG} width={width} height={TOP_MIN} lines={lagLines(state.rate, state.activity)} />
    </Box>
  );
}

function LastDeliveries({ state, width, height }: { state: DashboardState; width: number; height: number }): ReactNode {
  const { items } = state.deliveries;
  const box = { width: width - BORDERS_AND_PADDING, height: height - 2 };
  const lines =
    items.length === 0
      ? [line("There are none yet. An endpoint receives events: usageflow endpoints create URL", { dim: true })]
      : gridLines({ columns: deliveryColumns, rows: items.slice(0, box.height), selected: -1, ...box });
  return <Panel title="Last deliveries" width={width} height={height} lines={lines} />;
}
