import { Box, useInput, useWindowSize } from "ink";
import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { ClockView } from "./clock-view.tsx";
import { DeliveriesView } from "./deliveries-view.tsx";
import { Foot, Head } from "./frame.tsx";
import { HelpView } from "./help-view.tsx";
import { InvoicesView } from "./invoices-view.tsx";
import { keyNames } from "./key-names.ts";
import { OverviewView } from "./overview-view.tsx";
import { Panel } from "./panel.tsx";
import { PlansView } from "./plans-view.tsx";
import { bodyOf, boxOf, type DashboardState, type PageState, type ViewName } from "./state.ts";
import type { Store } from "./store.ts";
import { UsageView } from "./usage-view.tsx";

const VIEW_OF: Record<ViewName, (props: { state: DashboardState }) => ReactNode> = {
  overview: OverviewView,
  usage: UsageView,
  plans: PlansView,
  invoices: InvoicesView,
  deliveries: DeliveriesView,
  clock: ClockView,
};

/** The whole screen, as the state says. Keys go to `onKey`. */
export function Dashboard({ store, onKey }: { store: Store<DashboardState>; onKey: (key: string) => void }): ReactNode {
  const state = useSyncExternalStore(store.subscribe, store.get);
  const { columns, rows } = useWindowSize();
  useInput((input, key) => {
    for (const name of keyNames(input, key)) onKey(name);
  });
  useEffect(() => store.update(() => ({ size: { columns, rows } })), [store, columns, rows]);
  return <Screen state={{ ...state, size: { columns, rows } }} />;
}

/** What is on the screen: a function of the state. */
export function Screen({ state }: { state: DashboardState }): ReactNode {
  const { rows } = state.size;
  const View = VIEW_OF[state.view];
  return (
    // As wide as the terminal is now, and not as it was: on the way to a smaller size a line that wraps would move all others.
    <Box flexDirection="column" width="100%" height={rows} overflow="hidden">
      <Head state={state} />
      <Box flexGrow={1} flexDirection="column" overflow="hidden">
        {state.help ? (
          <HelpView state={state} />
        ) : state.page ? (
          <Page state={state} page={state.page} />
        ) : (
          <View state={state} />
        )}
      </Box>
      <Foot state={state} />
    </Box>
  );
}

function Page({ state, page }: { state: DashboardState; page: PageState }): ReactNode {
  const { width, height } = boxOf(state.size);
  const lines = page.linesIn(width);
  const top = Math.max(0, Math.min(page.top, lines.length - height));
  const place = lines.length > height ? `  ${top + 1}-${Math.min(lines.length, top + height)} of ${lines.length}` : "";
  return <Panel title={`${page.title}${place}`} {...bodyOf(state.size)} lines={lines.slice(top, top + height)} />;
}
