import { TenantKind } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type DashboardState, listInView, VIEWS, type ViewName } from "./state.ts";

// Which key does what, as data: the dashboard acts by it, and draws its footer and its help from it.

/** What keys do. `actions.ts` does it. */
export type ActionName =
  | "showView"
  | "nextView"
  | "previousView"
  | "up"
  | "down"
  | "pageUp"
  | "pageDown"
  | "first"
  | "last"
  | "open"
  | "back"
  | "filter"
  | "monthBefore"
  | "monthAfter"
  | "replay"
  | "advance"
  | "copy"
  | "help"
  | "quit";

/** What one key, or several, do. */
export interface Binding {
  /** Names as `key-names.ts` has them. */
  readonly keys: readonly string[];
  readonly action: ActionName;
  /** The keys as people read them. */
  readonly label: string;
  /** What they do, for the help. */
  readonly words: string;
  /** The same in a word or two, for the footer. Absent: the help alone has it. */
  readonly short?: string;
  /** Where they do something. */
  readonly where?: (state: DashboardState) => boolean;
}

const isList = ({ view, page }: DashboardState) => view !== "overview" && !page;
const inView = (view: ViewName) => (state: DashboardState) => state.view === view;
const isInCustomers = ({ view, metric }: DashboardState) => view === "usage" && metric !== "";
const isTest = ({ tenant }: DashboardState) => tenant?.kind === TenantKind.TEST;

function isFiltered(state: DashboardState): boolean {
  const list = listInView(state);
  return list !== undefined && state[list].filter !== "";
}

/** All of them, the most needed first: a narrow footer has room for few. */
export const KEYMAP: readonly Binding[] = [
  {
    keys: VIEWS.map((_, at) => String(at + 1)),
    action: "showView",
    label: `1-${VIEWS.length}`,
    words: "show a view",
    short: "view",
  },
  { keys: ["tab"], action: "nextView", label: "Tab", words: "next view (Shift-Tab: the one before)" },
  { keys: ["shift-tab"], action: "previousView", label: "", words: "" },
  { keys: ["down", "j"], action: "down", label: "↓ j", words: "down" },
  { keys: ["up", "k"], action: "up", label: "↑ k", words: "up" },
  { keys: ["pagedown", "ctrl-d", "space"], action: "pageDown", label: "PgDn ^d", words: "a page down" },
  { keys: ["pageup", "ctrl-u"], action: "pageUp", label: "PgUp ^u", words: "a page up" },
  { keys: ["home", "g"], action: "first", label: "g", words: "to the first" },
  { keys: ["end", "G"], action: "last", label: "G", words: "to the last" },
  { keys: ["enter"], action: "open", label: "Enter", words: "show it in full", short: "open", where: isList },
  {
    keys: ["escape", "backspace"],
    action: "back",
    label: "Esc",
    words: "back; away with the filter",
    short: "back",
    where: (state) => state.help || state.page !== undefined || isInCustomers(state) || isFiltered(state),
  },
  {
    keys: ["left", "h"],
    action: "monthBefore",
    label: "← →",
    words: "usage of the month before, or after",
    short: "month",
    where: inView("usage"),
  },
  { keys: ["right", "l"], action: "monthAfter", label: "", words: "", where: inView("usage") },
  {
    keys: ["r"],
    action: "replay",
    label: "r",
    words: "send the delivery again",
    short: "replay",
    where: inView("deliveries"),
  },
  {
    keys: ["a"],
    action: "advance",
    label: "a",
    words: "advance the clock of a test tenant",
    short: "advance",
    where: (state) => inView("clock")(state) && isTest(state),
  },
  { keys: ["/"], action: "filter", label: "/", words: "filter: all of these words", short: "filter", where: isList },
  {
    keys: ["c"],
    action: "copy",
    label: "c",
    words: "copy the id",
    short: "copy id",
    where: ({ view }) => view !== "overview",
  },
  { keys: ["?"], action: "help", label: "?", words: "this help", short: "help" },
  { keys: ["q", "ctrl-c"], action: "quit", label: "q", words: "quit (Ctrl-C too)", short: "quit" },
];

/** What a key does now. */
export function bindingOf(state: DashboardState, key: string): Binding | undefined {
  return KEYMAP.find(({ keys, where }) => keys.includes(key) && (where?.(state) ?? true));
}

/** What the footer shows: as many as fit, help and quit always. */
export function footerHints(state: DashboardState, width: number): { label: string; short: string }[] {
  const hints = KEYMAP.filter(({ short, where }) => short && (where?.(state) ?? true)).map(({ label, short = "" }) => ({
    label,
    short,
  }));
  const size = (shown: typeof hints) =>
    shown.reduce((sum, { label, short }) => sum + label.length + short.length + 3, 0);
  const kept = [...hints];
  while (size(kept) > width && kept.length > 2) kept.splice(kept.length - 3, 1);
  return kept;
}
