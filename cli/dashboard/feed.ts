import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { readOpenRevenue } from "../open-revenue.ts";
import type { Clients } from "./clients.ts";
import { followDeliveries } from "./deliveries-feed.ts";
import type { Link } from "./link.ts";
import { selectedOf, withItems } from "./list-state.ts";
import { windowOf } from "./list-window.ts";
import { type DashboardState, type ListName, listInView, monthOf, TRAITS, usageKey } from "./state.ts";
import type { Store } from "./store.ts";

const PULSE_MS = 2_000;
const VIEW_MS = 5_000;
const REVENUE_MS = 15_000;
const REVENUE_AT_ONCE_MS = 30_000;
const TICK_MS = 1_000;
const PAGE_SIZE = 200;
const DELIVERIES_PAGE_SIZE = 1_000;
const FILTERED_MAX = 10_000;

/** What keeps the state up to date. */
export interface Feed {
  /** Reads what the view shows, now. */
  refresh(): Promise<void>;
  /** Reads on in a list whose end is near. */
  more(): Promise<void>;
}

/** Starts to read: what every view shows, and what the present one does. */
export function startFeed(store: Store<DashboardState>, clients: Clients, link: Link): Feed {
  const { tenants, pricing, usage, invoices, webhooks } = clients;
  const readers: Record<DashboardState["view"], () => Promise<void>> = {
    async overview() {},
    async usage() {
      const answer = await link.call((options) => pricing.pullCatalog({}, options));
      if (answer) setList("metrics", answer.catalog?.metrics ?? [], "");
      if (store.get().metric !== "") await readCustomers();
      await readUsage();
    },
    async plans() {
      const answer = await link.call((options) => pricing.listPlans({ pageSize: 1_000 }, options));
      if (answer) setList("plans", answer.plans, "");
    },
    async invoices() {
      // Only while nobody has read on: else what was read further would go.
      if (store.get().invoices.items.length > PAGE_SIZE) return;
      const page = { pageSize: PAGE_SIZE, newestFirst: true };
      const answer = await link.call((options) => invoices.listInvoices(page, options));
      if (answer) setList("invoices", answer.invoices, answer.nextPageToken);
    },
    async deliveries() {},
    async clock() {
      const answer = await link.call((options) => webhooks.listEvents({ pageSize: PAGE_SIZE }, options));
      if (answer) setList("events", answer.events, "");
    },
  };

  function setList<Name extends ListName>(name: Name, items: DashboardState[Name]["items"], nextPageToken: string) {
    store.updateSoon((state) => {
      // The compiler loses which of the lists it is; the name and the items come together.
      const list = withItems(state[name] as never, items as never, TRAITS[name] as never) as object;
      return { [name]: { ...list, nextPageToken } };
    });
  }

  async function readCustomers(): Promise<void> {
    if (store.get().customers.items.length > PAGE_SIZE) return;
    const answer = await link.call((options) => tenants.listCustomers({ pageSize: PAGE_SIZE }, options));
    if (answer) setList("customers", answer.customers, answer.nextPageToken);
  }

  /** Usage of this month of what is on the screen, and of nothing else: each is a call. */
  async function readUsage(): Promise<void> {
    const { metric, metrics, customers, size } = store.get();
    const list = metric === "" ? metrics : customers;
    const { start, end } = windowOf(list.shown.length, list.selected, size.rows);
    const wanted =
      metric === ""
        ? metrics.shown.slice(start, end).map(({ key }) => [key, ""] as const)
        : customers.shown.slice(start, end).map(({ id }) => [metric, id] as const);
    const span = monthOf(store.get());
    const { monthsBack } = store.get();
    for (const [key, customerId] of wanted) {
      const request = { metric: key, customerId, interval: UsageInterval.DAY, ...span };
      const answer = await link.call((options) => usage.getUsage(request, options));
      if (!answer || store.get().monthsBack !== monthsBack) return;
      store.updateSoon((state) => ({ usage: new Map(state.usage).set(usageKey(key, customerId), answer) }));
    }
  }

  const refresh = () => readers[store.get().view]();

  async function readPulse(): Promise<void> {
    const [tenant, rate, activity] = await Promise.all([
      link.call((options) => tenants.getTenant({}, options)),
      link.call((options) => usage.getUsageRate({}, options)),
      link.call((options) => webhooks.getDeliveryActivity({}, options)),
    ]);
    store.updateSoon(() => ({
      ...(tenant?.tenant ? { tenant: tenant.tenant } : {}),
      ...(rate ? { rate } : {}),
      ...(activity ? { activity } : {}),
    }));
  }

  async function readRevenue(): Promise<void> {
    const signal = AbortSignal.any([link.ended, AbortSignal.timeout(REVENUE_AT_ONCE_MS)]);
    const revenues = await link.call(() => readOpenRevenue(invoices, { signal }));
    if (revenues) store.updateSoon(() => ({ revenues }));
  }

  const repeat = async (ms: number, work: () => Promise<void>) => {
    do await work();
    while (await link.wait(ms));
  };
  void repeat(PULSE_MS, readPulse);
  void repeat(REVENUE_MS, readRevenue);
  void repeat(VIEW_MS, refresh);
  void repeat(TICK_MS, async () => store.updateSoon(() => ({ now: Date.now() })));
  followDeliveries(store, clients, link);

  let reading = false;
  const pages: Partial<Record<ListName, (pageToken: string) => Promise<void>>> = {
    async deliveries(pageToken) {
      const page = { pageSize: DELIVERIES_PAGE_SIZE, pageToken };
      const answer = await link.call((options) => webhooks.listDeliveries(page, options));
      if (answer) append("deliveries", answer.deliveries, answer.nextPageToken);
    },
    async invoices(pageToken) {
      const page = { pageSize: PAGE_SIZE, pageToken, newestFirst: true };
      const answer = await link.call((options) => invoices.listInvoices(page, options));
      if (answer) append("invoices", answer.invoices, answer.nextPageToken);
    },
    async customers(pageToken) {
      const answer = await link.call((options) => tenants.listCustomers({ pageSize: PAGE_SIZE, pageToken }, options));
      if (answer) append("customers", answer.customers, answer.nextPageToken);
    },
  };

  function append<Name extends ListName>(name: Name, items: DashboardState[Name]["items"], nextPageToken: string) {
    const { idOf } = TRAITS[name] as { idOf(item: unknown): string };
    const known = new Set(store.get()[name].items.map(idOf));
    const all = [...store.get()[name].items, ...items.filter((item) => !known.has(idOf(item)))];
    setList(name, all as never, nextPageToken);
  }

  async function more(): Promise<void> {
    const name = listInView(store.get());
    const read = name && pages[name];
    if (!name || !read || reading) return;
    const { nextPageToken, selected, shown, filter, items } = store.get()[name];
    // What a filter looks for may be far down: it reads on by itself, and not for ever.
    const isWanted = filter === "" ? selected > shown.length - PAGE_SIZE : items.length < FILTERED_MAX;
    if (nextPageToken === "" || !isWanted) return;
    reading = true;
    await read(nextPageToken);
    reading = false;
    if (store.get()[name].nextPageToken !== nextPageToken) await more();
  }

  return { refresh, more };
}

/** The id of what keys act on. */
export function idInView(state: DashboardState): string {
  if (state.page) return state.page.id;
  const name = listInView(state);
  if (!name) return "";
  const item = selectedOf(state[name] as never);
  return item === undefined ? "" : (TRAITS[name] as { idOf(item: unknown): string }).idOf(item);
}
