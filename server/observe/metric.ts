// Every metric, closed: a name that is not here does not compile, nor does a label. Labels have few values, and none of them
// tells of a tenant, a customer, a key or a URL: whoever may read metrics may not know whose they are.

/** What a metric is, and what it is made of. */
export interface Metric {
  kind: "counter" | "histogram" | "gauge";
  /** As OpenTelemetry has it (UCUM): "s", or what is counted in braces. */
  unit: string;
  /** For its reader: a sentence. */
  help: string;
  labels: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  bounds?: readonly number[];
  /** Values of the label that are told from the start, as 0: the first of their kind is an increase then. */
  known?: readonly string[];
}

const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const WORK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const DELIVERY_SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 300];

export const metrics = {
  usageflow_rpc_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Calls that do not stream, `POST /api/track` included: from the first byte to the last. `code` is `ok` or the error's.",
    labels: ["method", "code"],
    bounds: CALL_SECONDS,
  },
  usageflow_rpc_streams_total: {
    kind: "counter",
    unit: "{stream}",
    help: "Calls that stream and have ended. One whose client went is `canceled`, as most are.",
    labels: ["method", "code"],
  },
  usageflow_rpc_refusals_total: {
    kind: "counter",
    unit: "{call}",
    help: "Calls that were refused, by the contract's reason: `RATE_LIMITED` is a caller that sends more than it may, `OVERLOADED` a server that has too much to do, `UNAVAILABLE` its database.",
    labels: ["reason"],
    known: ["RATE_LIMITED", "OVERLOADED", "UNAVAILABLE"],
  },
  usageflow_connections_refused_total: {
    kind: "counter",
    unit: "{connection}",
    help: "Connections that were closed before they said what to call: `too_many` are open, or what came is `unreadable` as HTTP, `too_large` in its headers or `too_slow`.",
    labels: ["reason"],
    known: ["too_many", "unreadable", "too_large", "too_slow"],
  },
  usageflow_usage_events_total: {
    kind: "counter",
    unit: "{event}",
    help: "Usage events that were answered: `accepted`, `duplicate`, `conflict` or `rejected`.",
    labels: ["outcome"],
    known: ["accepted", "duplicate", "conflict", "rejected"],
  },
  usageflow_usage_commit_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Commits of usage, each of which stores what arrived together.",
    labels: [],
    bounds: CALL_SECONDS,
  },
  usageflow_usage_lag_seconds: {
    kind: "gauge",
    unit: "s",
    help: "Age of the oldest usage that is accepted and not yet in an aggregate. 0: none waits.",
    labels: [],
  },
  usageflow_usage_batches_waiting: {
    kind: "gauge",
    unit: "{batch}",
    help: "Commits of usage that wait to be aggregated. 10000: so many or more.",
    labels: [],
  },
  usageflow_periods_closed_total: {
    kind: "counter",
    unit: "{period}",
    help: "Billing periods that were closed, or billed in advance.",
    labels: [],
  },
  usageflow_invoices_finalized_total: {
    kind: "counter",
    unit: "{invoice}",
    help: "Invoices that became final because their time had come.",
    labels: [],
  },
  usageflow_close_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Transactions that close periods or finalize invoices of one tenant, up to 500 at a time.",
    labels: ["step"],
    bounds: WORK_SECONDS,
  },
  usageflow_billing_overdue_tenants: {
    kind: "gauge",
    unit: "{tenant}",
    help: "Live tenants of which periods or invoices have been due for more than a minute. 1000: so many or more.",
    labels: ["work"],
  },
  usageflow_billing_overdue_seconds: {
    kind: "gauge",
    unit: "s",
    help: "How long the period, or the invoice, that is most overdue has been due. 0: none is.",
    labels: ["work"],
  },
  usageflow_outbox_events_waiting: {
    kind: "gauge",
    unit: "{event}",
    help: "Business events that wait to become deliveries. 10000: so many or more.",
    labels: [],
  },
  usageflow_outbox_oldest_seconds: {
    kind: "gauge",
    unit: "s",
    help: "Age of the oldest business event that waits to become deliveries. 0: none waits.",
    labels: [],
  },
  usageflow_deliveries_waiting: {
    kind: "gauge",
    unit: "{delivery}",
    help: "Deliveries that are neither taken nor given up, those of paused endpoints included. 10000: so many or more.",
    labels: [],
  },
  usageflow_delivery_attempt_duration_seconds: {
    kind: "histogram",
    unit: "s",
    help: "Attempts: `delivered`, `retried` (another follows) or `given_up`, by class of the answer's status; `none`: no answer.",
    labels: ["result", "status_class"],
    bounds: DELIVERY_SECONDS,
  },
  usageflow_delivery_first_byte_seconds: {
    kind: "histogram",
    unit: "s",
    help: "From the time at which an event was stored to the first byte of its first attempt, a pause or a cap of its endpoint included; not of what is in a lane.",
    labels: [],
    bounds: DELIVERY_SECONDS,
  },
  usageflow_delivery_leases_recovered_total: {
    kind: "counter",
    unit: "{delivery}",
    help: "Deliveries that were claimed although a worker had them: it was gone, or too slow.",
    labels: [],
  },
  usageflow_delivery_leases_lost_total: {
    kind: "counter",
    unit: "{delivery}",
    help: "Attempts whose outcome did not count, because their lease was over or their endpoint was gone.",
    labels: [],
  },
  usageflow_loop_passes_total: {
    kind: "counter",
    unit: "{pass}",
    help: "Passes of the loops behind the calls: `worked`, `idle` or `failed`.",
    labels: ["loop", "result"],
  },
  usageflow_tenant_failures_total: {
    kind: "counter",
    unit: "{turn}",
    help: "Turns of one tenant's work that failed. The log's `tenant.failed` says whose.",
    labels: ["work"],
    known: ["usage_batch", "outbox_pending", "billing", "customer_erasure", "deletion", "listener", "replay"],
  },
  usageflow_database_connections: {
    kind: "gauge",
    unit: "{connection}",
    help: "Connections of this process, by pool and whether they are in use.",
    labels: ["pool", "state"],
  },
  usageflow_database_connections_max: {
    kind: "gauge",
    unit: "{connection}",
    help: "Connections that each pool of this process may have.",
    labels: ["pool"],
  },
  usageflow_database_requests_waiting: {
    kind: "gauge",
    unit: "{request}",
    help: "What waits for a connection of a pool.",
    labels: ["pool"],
  },
  usageflow_database_oldest_snapshot_seconds: {
    kind: "gauge",
    unit: "s",
    help: "Age of the oldest transaction that keeps dead rows from being cleared away, as far as the schema's owner may see them.",
    labels: [],
  },
  usageflow_table_dead_tuples: {
    kind: "gauge",
    unit: "{row}",
    help: "Dead rows of the tables that change most.",
    labels: ["table"],
  },
  usageflow_table_live_tuples: {
    kind: "gauge",
    unit: "{row}",
    help: "Rows of the tables that change most, as PostgreSQL estimates them.",
    labels: ["table"],
  },
  usageflow_event_loop_delay_seconds: {
    kind: "gauge",
    unit: "s",
    help: "How late the process gets to what is due, over the last ten seconds.",
    labels: ["quantile"],
  },
  usageflow_vitals_failures_total: {
    kind: "counter",
    unit: "{look}",
    help: "Looks at the database for these gauges that failed or took too long; they are missing then.",
    labels: [],
  },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;
type Of<Kind> = { [Name in MetricName]: (typeof metrics)[Name]["kind"] extends Kind ? Name : never }[MetricName];
export type CounterName = Of<"counter">;
export type HistogramName = Of<"histogram">;
export type GaugeName = Of<"gauge">;

/** Values of a metric's labels: all of them, and no others. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof metrics)[Name]["labels"][number], string>>;
