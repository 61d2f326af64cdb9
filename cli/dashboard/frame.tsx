import { Box, Text } from "ink";
import type { ReactNode } from "react";
import { TenantKind } from "../../gen/usageflow/v1/tenant_pb.ts";
import { printable } from "../output/text.ts";
import { footerHints } from "./keymap.ts";
import { fitted } from "./line.ts";
import { type DashboardState, VIEWS } from "./state.ts";
import { ago } from "./words.ts";

/** Whose dashboard it is, and whether its server is there. */
export function Head({ state }: { state: DashboardState }): ReactNode {
  const { tenant, connection, now, size } = state;
  const kind = tenant?.kind === TenantKind.LIVE ? "live" : "test";
  const status =
    connection.state === "connected" ? "● connected" : `○ server away for ${ago(now, connection.since)}, reconnecting`;
  const room = Math.max(0, size.columns - status.length - "usageflow    ".length - kind.length - 4);
  const name = printable(tenant?.organization ?? "");
  const shown = name.length > room ? fitted(name, room) : name;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Box justifyContent="space-between" paddingX={1}>
        <Text wrap="truncate">
          <Text bold color="cyan">
            usageflow
          </Text>
          {"  "}
          {shown} <Text color={kind === "live" ? "magenta" : "yellow"}>{kind}</Text>
        </Text>
        <Box flexShrink={0}>
          <Text color={connection.state === "connected" ? "green" : "red"}>{status}</Text>
        </Box>
      </Box>
      <Tabs state={state} />
    </Box>
  );
}

function Tabs({ state }: { state: DashboardState }): ReactNode {
  const isNarrow = state.size.columns < TABS_WIDTH;
  const place = VIEWS.findIndex(({ name }) => name === state.view);
  return (
    <Text wrap="truncate">
      {VIEWS.map(({ name, title }, at) => {
        const here = at === place;
        // Where there is little room, neighbours share the space between them.
        const after = here ? "]" : at + 1 === place && isNarrow ? "" : " ";
        const before = here ? "[" : at > 0 && isNarrow ? "" : " ";
        return (
          <Text key={name} bold={here} inverse={here} dimColor={!here}>
            {`${before}${at + 1} ${title}${after}`}
          </Text>
        );
      })}
    </Text>
  );
}

const TABS_WIDTH = VIEWS.reduce((sum, { title }) => sum + title.length + "[1 ]".length, 0);

/** What is typed or was done, and which keys do something now. */
export function Foot({ state }: { state: DashboardState }): ReactNode {
  const { size } = state;
  return (
    <Box flexDirection="column" flexShrink={0} height={2} paddingX={1}>
      <Text wrap="truncate">{noteOf(state)}</Text>
      <Text wrap="truncate">
        {(state.asking ? WHILE_ASKING : footerHints(state, size.columns - 2)).map(({ label, short }) => (
          <Text key={short}>
            <Text bold color="cyan">
              {label}
            </Text>
            <Text dimColor> {short} </Text>{" "}
          </Text>
        ))}
      </Text>
    </Box>
  );
}

const WHILE_ASKING = [
  { label: "Enter", short: "done" },
  { label: "Esc", short: "away with it" },
];

const QUESTIONS = {
  filter: "filter: ",
  advance: "advance the clock by (1d, 12h) or to (2015-06-02): ",
};

function noteOf({ asking, note, connection }: DashboardState): string {
  if (asking) return `${QUESTIONS[asking.what]}${printable(asking.text)}▏`;
  if (note !== "") return printable(note);
  return connection.state === "reconnecting" ? connection.why : " ";
}
