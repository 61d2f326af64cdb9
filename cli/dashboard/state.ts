import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/usageflow/v1/event_pb.ts";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { OpenRevenue } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { Metric, Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Customer, Tenant } from "../../gen/usageflow/v1/tenant_pb.ts";
import type { GetUsageRateResponse, GetUsageResponse } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { Delivery } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { GetDeliveryActivityResponse } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { monthStart } from "../time-zone.ts";
import type { Line } from "./line.ts";
import { emptyList, type ListState, type ListTraits } from "./list-state.ts";
import { deliverySearch, invoiceSearch } from "./words.ts";

/** The views, in the order of their keys. */
export const VIEWS = [
  { name: "overview", title: "Overview" },
  { name: "usage", title: "Usage" },
  { name: "plans", title: "Plans" },
  { name: "invoices", title: "Invoices" },
  { name: "deliveries", title: "Deliveries" },
  { name: "clock", title: "Clock" },
] as const;

export type ViewName = (typeof VIEWS)[number]["name"];

/** Whether the server can be reached. */
export type Connection =
  | { readonly state: "connected" }
  | { readonly state: "reconnecting"; readonly since: number; readonly why: string };

/** One thing in full, over its list. */
export interface PageState {
  readonly title: string;
  /** What `c` copies. */
  readonly id: string;
  /** What is drawn, in so many cells. */
  readonly linesIn: (width: number) => readonly Line[];
  /** The line at the top. */
  readonly top: number;
}

/** What is typed at the bottom, and for what. */
export interface Asking {
  readonly what: "filter" | "advance";
  readonly text: string;
}

/** Everything that is drawn. */
export interface DashboardState {
  readonly view: ViewName;
  readonly size: { readonly columns: number; readonly rows: number };
  readonly connection: Connection;
  /** The time, for what is so many seconds ago. */
  readonly now: number;
  readonly tenant: Tenant | undefined;
  readonly rate: GetUsageRateResponse | undefined;
  readonly activity: GetDeliveryActivityResponse | undefined;
  readonly revenues: readonly OpenRevenue[] | undefined;
  readonly metrics: ListState<Metric>;
  /** The metric of which customers are shown. Empty: metrics are. */
  readonly metric: string;
  readonly customers: ListState<Customer>;
  /** How many months before the present one usage is looked at. */
  readonly monthsBack: number;
  /** Usage of that month by `usageKey`. */
  readonly usage: ReadonlyMap<string, GetUsageResponse>;
  readonly plans: ListState<Plan>;
  readonly invoices: ListState<Invoice>;
  readonly deliveries: ListState<Delivery>;
  readonly events: ListState<Event>;
  readonly page: PageState | undefined;
  readonly help: boolean;
  readonly asking: Asking | undefined;
  /** What was done last, or went wrong, in words. Stands until the next key. */
  readonly note: string;
}

/** Where usage of a metric, or of one of its customers, is kept. */
export function usageKey(metric: string, customerId = ""): string {
  return `${metric} ${customerId}`;
}

const HEAD_AND_FOOT = 4;
const BORDERS = 2;
const BORDERS_AND_PADDING = 4;

/** What is left for a view, between head and foot. */
export function bodyOf({ columns, rows }: DashboardState["size"]): { width: number; height: number } {
  return { width: columns, height: Math.max(3, rows - HEAD_AND_FOOT) };
}

/** What is left within the borders of a panel that fills the view. */
export function boxOf(size: DashboardState["size"]): { width: number; height: number } {
  const { width, height } = bodyOf(size);
  return { width: Math.max(1, width - BORDERS_AND_PADDING), height: height - BORDERS };
}

/** A dashboard that has heard nothing yet. */
export function initialState(tenant: Tenant | undefined, size: DashboardState["size"]): DashboardState {
  return {
    view: "overview",
    size,
    connection: { state: "connected" },
    now: Date.now(),
    tenant,
    rate: undefined,
    activity: undefined,
    revenues: undefined,
    metrics: emptyList(),
    metric: "",
    customers: emptyList(),
    monthsBack: 0,
    usage: new Map(),
    plans: emptyList(),
    invoices: emptyList(),
    deliveries: emptyList(),
    events: emptyList(),
    page: undefined,
    help: false,
    asking: undefined,
    note: "",
  };
}

const HOUR_S = 3_600n;

/** The month that usage is looked at, in UTC and by the tenant's clock; the present one up to the end of its hour. */
export function monthOf({ tenant, monthsBack }: DashboardState): { start: Timestamp; end: Timestamp } {
  const now = tenant?.clock?.now?.seconds ?? 0n;
  let end = create(TimestampSchema, { seconds: now - (now % HOUR_S) + HOUR_S });
  const startBefore = (at: Timestamp) => monthStart(create(TimestampSchema, { seconds: at.seconds - 1n }), "UTC");
  for (let back = 0; back < monthsBack; back++) end = startBefore(end);
  return { start: startBefore(end), end };
}

/** Names of the lists in the state. */
export type ListName = "metrics" | "customers" | "plans" | "invoices" | "deliveries" | "events";

type ItemOf<Name extends ListName> = DashboardState[Name] extends ListState<infer Item> ? Item : never;

/** The list that keys act on. */
export function listInView({ view, metric }: DashboardState): ListName | undefined {
  if (view === "overview") return undefined;
  if (view === "usage") return metric === "" ? "metrics" : "customers";
  return view === "clock" ? "events" : view;
}

/** How the items of each list are told apart and looked through. */
export const TRAITS: { readonly [Name in ListName]: ListTraits<ItemOf<Name>> } = {
  metrics: { idOf: ({ key }) => key, textOf: ({ key, name }) => `${key} ${name}`.toLowerCase() },
  customers: { idOf: ({ id }) => id, textOf: ({ id, name }) => `${id} ${name}`.toLowerCase() },
  plans: { idOf: ({ key }) => key, textOf: ({ key, name, currency }) => `${key} ${name} ${currency}`.toLowerCase() },
  invoices: { idOf: ({ id }) => id, textOf: invoiceSearch },
  deliveries: { idOf: ({ id }) => id, textOf: deliverySearch },
  events: { idOf: ({ id }) => id, textOf: ({ id, type, customerId }) => `${type} ${customerId} ${id}`.toLowerCase() },
};
