import { render } from "ink";
import type { Tenant } from "../../gen/usageflow/v1/tenant_pb.ts";
import { createActions } from "./actions.ts";
import type { Clients } from "./clients.ts";
import { Dashboard } from "./dashboard.tsx";
import { startFeed } from "./feed.ts";
import { createLink } from "./link.ts";
import { initialState } from "./state.ts";
import { createStore } from "./store.ts";

/** Shows the dashboard until somebody quits, and answers by which key; empty when a signal ended it. */
export async function runDashboard(clients: Clients, tenant: Tenant | undefined, stop: AbortSignal): Promise<string> {
  const ended = new AbortController();
  const { columns, rows } = process.stdout;
  const store = createStore(initialState(tenant, { columns, rows }));
  const link = createLink(store, ended.signal);
  const feed = startFeed(store, clients, link);
  let quitBy = "";
  const quit = (key: string) => {
    quitBy = key;
    ended.abort();
    screen.unmount();
  };
  const onKey = createActions({ store, clients, link, feed, copy, quit });
  const screen = render(<Dashboard store={store} onKey={onKey} />, {
    alternateScreen: true,
    exitOnCtrlC: false,
    incrementalRendering: true,
    // Ink takes a terminal in CI for none; whoever calls this has looked.
    interactive: true,
    maxFps: 60,
    patchConsole: false,
  });
  stop.addEventListener("abort", () => quit(""), { once: true });
  await screen.waitUntilExit();
  return quitBy;
}

/** Asks the terminal to copy (OSC 52): that reaches the person's own clipboard through SSH too, where the terminal allows it. */
function copy(text: string): void {
  process.stdout.write(`\x1b]52;c;${Buffer.from(text).toString("base64")}\x07`);
}
