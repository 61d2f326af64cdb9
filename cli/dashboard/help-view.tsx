import type { ReactNode } from "react";
import { KEYMAP } from "./keymap.ts";
import { lineOf } from "./line.ts";
import { Panel } from "./panel.tsx";
import { bodyOf, type DashboardState } from "./state.ts";

const LABEL_WIDTH = 10;

/** All keys, and what they do. */
export function HelpView({ state }: { state: DashboardState }): ReactNode {
  const lines = KEYMAP.filter(({ label }) => label !== "").map(({ label, words }) =>
    lineOf({ text: label.padEnd(LABEL_WIDTH), bold: true, color: "cyan" }, words),
  );
  return <Panel title="Keys" {...bodyOf(state.size)} lines={lines} />;
}
