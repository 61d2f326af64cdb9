import { Box } from "ink";
import type { ReactNode } from "react";
import type { Event } from "../../gen/usageflow/v1/event_pb.ts";
import { TenantKind } from "../../gen/usageflow/v1/tenant_pb.ts";
import { span, time, timeIn } from "../output/text.ts";
import type { GridColumn } from "./grid.ts";
import { type Line, line, lineOf } from "./line.ts";
import { ListView } from "./list-view.tsx";
import { Panel } from "./panel.tsx";
import { bodyOf, type DashboardState } from "./state.ts";

const NONE = "Nothing has happened yet.";
const PANEL_HEIGHT = 6;

const columns: GridColumn<Event>[] = [
  { title: "HAPPENED", width: 19, value: ({ occurredAt }) => time(occurredAt), dim: true },
  { title: "EVENT", width: 26, value: ({ type }) => type },
  { title: "CUSTOMER", width: "rest", value: ({ customerId }) => customerId },
  { title: "ID", width: 26, value: ({ id }) => id, from: 100, dim: true },
];

/** The tenant's business time, and what it brought. */
export function ClockView({ state }: { state: DashboardState }): ReactNode {
  const { width, height } = bodyOf(state.size);
  return (
    <Box flexDirection="column">
      <Panel title="Clock" width={width} height={PANEL_HEIGHT} lines={clockLines(state)} />
      <ListView
        title="What happened"
        list={state.events}
        columns={columns}
        none={NONE}
        width={width}
        height={height - PANEL_HEIGHT}
      />
    </Box>
  );
}

function clockLines({ tenant }: DashboardState): Line[] {
  const clock = tenant?.clock;
  if (!tenant || !clock) return [line("…", { dim: true })];
  const isTest = tenant.kind === TenantKind.TEST;
  const zone = tenant.timeZone === "UTC" ? "" : `  ${timeIn(tenant.timeZone, clock.now)} ${tenant.timeZone}`;
  const way = clock.target
    ? lineOf({ text: `advancing to ${time(clock.target)} UTC`, color: "yellow" })
    : line(clock.frozen ? "It stands until it is advanced: press a." : "It runs with real time.");
  return [
    lineOf({ text: `${time(clock.now)} UTC`, bold: true }, { text: zone, dim: true }),
    isTest ? way : line("A live tenant's clock is real time, and cannot be moved."),
    line(`Drafts are final after ${span(tenant.gracePeriod)}.`, { dim: true }),
  ];
}
