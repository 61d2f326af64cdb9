/** One limit: how it is set, what it is unless it is set, and what it says, for the docs. */
export interface LimitSetting {
  readonly variable: string;
  readonly fallback: number;
  /** Smallest value. 0 where a limit can be taken away; `says` tells what that means. */
  readonly min: number;
  readonly says: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Limits of a process. The environment is read by it, and docs/limits.md is printed from it. */
export const limitSettings = {
  connectionsMax: {
    variable: "USAGEFLOW_CONNECTIONS_MAX",
    fallback: 10_000,
    min: 1,
    says: "connections that are open at once; one more is closed as it comes",
  },
  streamsPerConnectionMax: {
    variable: "USAGEFLOW_STREAMS_PER_CONNECTION_MAX",
    fallback: 100,
    min: 1,
    says: "calls at once on one HTTP/2 connection; one more is refused (`REFUSED_STREAM`), and clients wait with it",
  },
  healthWatchesMax: {
    variable: "USAGEFLOW_HEALTH_WATCHES_MAX",
    fallback: 1_000,
    min: 2,
    says: "calls of gRPC health that watch at once, for which nobody needs a key; one machine has its share of them",
  },
  headerBytesMax: {
    variable: "USAGEFLOW_HEADER_BYTES_MAX",
    fallback: 16 * 1024,
    min: 4 * 1024,
    says: "all headers of a call",
  },
  headersTimeoutMs: {
    variable: "USAGEFLOW_HEADERS_TIMEOUT_MS",
    fallback: 10 * SECOND,
    min: 1,
    says: "until a connection has said what it speaks (TLS included), and until a call's headers are there",
  },
  bodyTimeoutMs: {
    variable: "USAGEFLOW_BODY_TIMEOUT_MS",
    fallback: 30 * SECOND,
    min: 1,
    says: "until a call's body is there, from its first byte",
  },
  connectionIdleMs: {
    variable: "USAGEFLOW_CONNECTION_IDLE_MS",
    fallback: 5 * MINUTE,
    min: 1,
    says: "how long a connection stays open on which nothing happens, and an answer that nobody reads",
  },
  connectionAgeMaxMs: {
    variable: "USAGEFLOW_CONNECTION_AGE_MAX_MS",
    fallback: 60 * MINUTE,
    min: 1,
    says: "age at which a connection takes its last call, so that clients spread over the processes there are",
  },
  keyCallsPerSecond: {
    variable: "USAGEFLOW_KEY_CALLS_PER_SECOND",
    fallback: 500,
    min: 0,
    says: "calls of one API key, tracking apart; `0`: no limit",
  },
  tenantCallsPerSecond: {
    variable: "USAGEFLOW_TENANT_CALLS_PER_SECOND",
    fallback: 1_000,
    min: 0,
    says: "calls of one tenant, tracking apart; `0`: no limit",
  },
  keyEventsPerSecond: {
    variable: "USAGEFLOW_KEY_EVENTS_PER_SECOND",
    fallback: 20_000,
    min: 0,
    says: "usage events that come in with one API key; `0`: no limit",
  },
  tenantEventsPerSecond: {
    variable: "USAGEFLOW_TENANT_EVENTS_PER_SECOND",
    fallback: 20_000,
    min: 0,
    says: "usage events that come in of one tenant; `0`: no limit",
  },
  rateBurstSeconds: {
    variable: "USAGEFLOW_RATE_BURST_SECONDS",
    fallback: 10,
    min: 1,
    says: "seconds' worth of each of these rates that may come at once, after a pause",
  },
  waitMaxMs: {
    variable: "USAGEFLOW_WAIT_MAX_MS",
    fallback: SECOND,
    min: 1,
    says: "how long a call waits for its turn, and then for a connection to the database",
  },
  callsWaitingMax: {
    variable: "USAGEFLOW_CALLS_WAITING_MAX",
    fallback: 1_000,
    min: 1,
    says: "calls that wait for their turn; one tenant may have as many there as are left free",
  },
  eventsWaitingMax: {
    variable: "USAGEFLOW_EVENTS_WAITING_MAX",
    fallback: 50_000,
    min: 1_000,
    says: "usage events that wait for a commit; one tenant may have as many there as are left free",
  },
  eventLoopDelayMaxMs: {
    variable: "USAGEFLOW_EVENT_LOOP_DELAY_MAX_MS",
    fallback: 100,
    min: 0,
    says: "how late the process may be at what it has to do before it takes less, in equal shares; `0`: it never does",
  },
  lockTimeoutMs: {
    variable: "USAGEFLOW_LOCK_TIMEOUT_MS",
    fallback: 10 * SECOND,
    min: 1,
    says: "how long a statement waits for a lock in the database",
  },
  idleInTransactionTimeoutMs: {
    variable: "USAGEFLOW_IDLE_IN_TRANSACTION_TIMEOUT_MS",
    fallback: 60 * SECOND,
    min: 1,
    says: "how long a transaction may stay open in which nothing happens",
  },
  databaseTcpTimeoutMs: {
    variable: "USAGEFLOW_DATABASE_TCP_TIMEOUT_MS",
    fallback: 30 * SECOND,
    min: 0,
    says: "after which the database gives up a connection whose other end takes nothing (`tcp_user_timeout`); `0`: the system's",
  },
  databaseCheckMs: {
    variable: "USAGEFLOW_DATABASE_CHECK_MS",
    fallback: 10 * SECOND,
    min: 0,
    says: "how often the database looks, while a statement runs, whether who asked is there (`client_connection_check_interval`); `0`: never, as for a Postgres on Windows",
  },
} as const satisfies Record<string, LimitSetting>;

/** What each limit is. */
export type Limits = Record<keyof typeof limitSettings, number>;

/** The limits as `read` finds them, by name and smallest value; what it does not find is as it is unless it is set. */
export function readLimits(read: (variable: string, fallback: number, min: number) => number): Limits {
  const entries = Object.entries(limitSettings).map(([name, { variable, fallback, min }]) => [
    name,
    read(variable, fallback, min),
  ]);
  return Object.fromEntries(entries) as Limits;
}

/** The limits when nothing is set. */
export const defaultLimits = readLimits((_, fallback) => fallback);
