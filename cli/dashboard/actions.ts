import { create, equals } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { type Delivery, DeliverySchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { CliError } from "../cli-error.ts";
import { parseSpan, parseTime } from "../time.ts";
import type { Clients } from "./clients.ts";
import { type Feed, idInView } from "./feed.ts";
import { type ActionName, bindingOf } from "./keymap.ts";
import type { Link } from "./link.ts";
import { filtered, moved, selectedOf } from "./list-state.ts";
import { deliveryPage, eventPage, invoicePage, planPage, usagePage } from "./pages.ts";
import { boxOf, type DashboardState, listInView, type PageState, TRAITS, usageKey, VIEWS } from "./state.ts";
import type { Store } from "./store.ts";

/** What a dashboard acts on. */
export interface Doing {
  store: Store<DashboardState>;
  clients: Clients;
  link: Link;
  feed: Feed;
  /** Puts a text where a person can paste it from. */
  copy(text: string): void;
  quit(key: string): void;
}

/** Answers what to do with a key. */
export function createActions(doing: Doing): (key: string) => void {
  const { store, clients, link, feed } = doing;
  const { webhooks, tenants } = clients;
  const get = store.get;
  const set = (change: Partial<DashboardState>) => store.update(() => change);

  const show = (place: number) => {
    const view = VIEWS[(place + VIEWS.length) % VIEWS.length]?.name ?? "overview";
    set({ view, page: undefined, help: false });
    void feed.refresh();
  };
  const placeInViews = () => VIEWS.findIndex(({ name }) => name === get().view);
  const pageRows = () => Math.max(1, boxOf(get().size).height - 1);

  const move = (by: number) => {
    const { page } = get();
    if (page) {
      const { width, height } = boxOf(get().size);
      const last = Math.max(0, page.linesIn(width).length - height);
      set({ page: { ...page, top: Math.max(0, Math.min(page.top + by, last)) } });
      return;
    }
    const name = listInView(get());
    if (!name) return;
    store.update((state) => ({ [name]: moved(state[name] as never, by) }));
    if (name === "metrics" || name === "customers") void feed.refresh();
    void feed.more();
  };

  const actions: Record<ActionName, (key: string) => void> = {
    showView: (key) => show(Number(key) - 1),
    nextView: () => show(placeInViews() + 1),
    previousView: () => show(placeInViews() - 1),
    up: () => move(-1),
    down: () => move(1),
    pageUp: () => move(-pageRows()),
    pageDown: () => move(pageRows()),
    first: () => move(-Number.MAX_SAFE_INTEGER),
    last: () => move(Number.MAX_SAFE_INTEGER),
    open: () => void open(),
    back: () => back(),
    filter: () => {
      const name = listInView(get());
      if (name) set({ asking: { what: "filter", text: get()[name].filter } });
    },
    monthBefore: () => toMonth(get().monthsBack + 1),
    monthAfter: () => toMonth(get().monthsBack - 1),
    replay: () => void replay(),
    advance: () => set({ asking: { what: "advance", text: "" } }),
    copy: () => {
      const id = idInView(get());
      if (id === "") return;
      doing.copy(id);
      set({ note: `Copied: ${id}` });
    },
    help: () => set({ help: !get().help }),
    quit: (key) => doing.quit(key),
  };

  function toMonth(monthsBack: number): void {
    if (monthsBack < 0) return;
    set({ monthsBack, usage: new Map() });
    void feed.refresh();
  }

  async function open(): Promise<void> {
    const state = get();
    const page = await pageOf(state);
    // Whoever went elsewhere while it was read does not want it any more.
    if (page && get().view === state.view && !get().page) set({ page });
  }

  async function pageOf(state: DashboardState): Promise<PageState | undefined> {
    switch (state.view) {
      case "usage":
        return openUsage(state);
      case "plans": {
        const plan = selectedOf(state.plans);
        return plan && planPage(plan);
      }
      case "invoices": {
        const invoice = selectedOf(state.invoices);
        return invoice && invoicePage(invoice);
      }
      case "deliveries": {
        const delivery = selectedOf(state.deliveries);
        return delivery && readDelivery(delivery.id);
      }
      case "clock": {
        const { id } = selectedOf(state.events) ?? {};
        const answer = id ? await link.call((options) => webhooks.getEvent({ id }, options)) : undefined;
        return answer?.event && eventPage(answer.event);
      }
      default:
        return undefined;
    }
  }

  function openUsage(state: DashboardState): PageState | undefined {
    if (state.metric === "") {
      const metric = selectedOf(state.metrics);
      if (metric) set({ metric: metric.key, customers: { ...state.customers, selected: 0 } });
      void feed.refresh();
      return undefined;
    }
    const customer = selectedOf(state.customers);
    const usage = customer && state.usage.get(usageKey(state.metric, customer.id));
    return usage && usagePage(state.metric, customer, usage);
  }

  async function readDelivery(id: string): Promise<PageState | undefined> {
    const delivery = (await link.call((options) => webhooks.getDelivery({ id }, options)))?.delivery;
    if (!delivery) return undefined;
    const answer = await link.call((options) => webhooks.getEvent({ id: delivery.eventId }, options));
    return deliveryPage(delivery, answer?.event);
  }

  function back(): void {
    const { help, page, view, metric } = get();
    if (help) set({ help: false });
    else if (page) set({ page: undefined });
    else if (!clearFilter() && view === "usage" && metric !== "") set({ metric: "" });
  }

  function clearFilter(): boolean {
    const name = listInView(get());
    if (!name || get()[name].filter === "") return false;
    applyFilter("");
    return true;
  }

  function applyFilter(text: string): void {
    const name = listInView(get());
    if (!name) return;
    store.update((state) => ({ [name]: filtered(state[name] as never, text, TRAITS[name] as never) }));
    void feed.more();
  }

  async function replay(): Promise<void> {
    const { page, deliveries } = get();
    const id = page?.id ?? selectedOf(deliveries)?.id;
    if (!id) return;
    const answer = await link.call((options) => webhooks.retryDelivery({ id }, options));
    if (!answer) return;
    set({ note: `Sent again: ${id}` });
    if (page) await readAgain(id);
  }

  async function readAgain(id: string): Promise<void> {
    const fresh = await readDelivery(id);
    const { page } = get();
    if (fresh && page?.id === id) set({ page: { ...fresh, top: page.top } });
  }

  // A delivery that is shown in full is read again when its row changes.
  let row: Delivery | undefined;
  store.subscribe(() => {
    const { page, view, deliveries } = get();
    const now = page && view === "deliveries" ? deliveries.items.find(({ id }) => id === page.id) : undefined;
    const isOther = now !== undefined && row?.id === now.id && !equals(DeliverySchema, row, now);
    row = now;
    if (isOther) void readAgain(now.id);
  });

  async function advance(text: string): Promise<void> {
    try {
      const destination = destinationOf(text);
      const answer = await link.call((options) => tenants.advanceClock({ destination }, options));
      if (answer) set({ note: "On its way." });
      await feed.refresh();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      set({ note: error.message });
    }
  }

  function typed(key: string): void {
    const { asking } = get();
    if (!asking) return;
    const { what, text } = asking;
    if (key === "escape" || key === "ctrl-c") {
      set({ asking: undefined });
      if (what === "filter") applyFilter("");
    } else if (key === "enter") {
      set({ asking: undefined });
      if (what === "advance" && text !== "") void advance(text);
    } else {
      const next = edited(text, key);
      set({ asking: { what, text: next } });
      if (what === "filter" && next !== text) applyFilter(next);
    }
  }

  return (key) => {
    if (get().note !== "") set({ note: "" });
    if (get().asking) {
      typed(key);
      return;
    }
    const binding = bindingOf(get(), key);
    if (!binding) return;
    if (get().help && !["help", "quit", "back"].includes(binding.action)) set({ help: false });
    actions[binding.action](key);
  };
}

function edited(text: string, key: string): string {
  if (key === "backspace") return Array.from(text).slice(0, -1).join("");
  if (key === "space") return `${text} `;
  return Array.from(key).length === 1 ? text + key : text;
}

/** Where a clock is to go: a span as `1d`, or a time as `2015-06-02`. */
function destinationOf(text: string) {
  const word = text.trim();
  if (/^\d{4}-/.test(word)) return { case: "to", value: parseTime(word) } as const;
  return { case: "by", value: create(DurationSchema, { seconds: parseSpan(word) }) } as const;
}
