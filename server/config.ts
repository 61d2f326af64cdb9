import { defaultLimits, type Limits, readLimits } from "./limits.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import { type OtlpConfig, otlpOff, readOtlpConfig } from "./observe/otlp-config.ts";
import { DAYS_MAX, PORT_MAX, settingReaders, TIME_MAX } from "./setting-readers.ts";

/** All settings of a server. Every number says its unit. */
export interface Config extends Limits, OtlpConfig {
  /** Login of the application: member of usageflow_app, owns nothing. */
  databaseUrl: string;
  /** Login of the workers: member of usageflow_worker, owns nothing. */
  workerDatabaseUrl: string;
  /**
   * Connection on which a process hears of work that others have left; it must lead past a pooler. `off`: workers find it by
   * looking, every `USAGEFLOW_POLL_MS`. Undefined: as the workers' login.
   */
  listenUrl: string | undefined;
  /** Connections in the application's pool; the workers' has as many. */
  databaseConnectionsMax: number;
  /** How long one statement may run. */
  statementTimeoutMs: number;
  /** Address on which the API listens. `0.0.0.0`: on all of IPv4. */
  host: string;
  /** Port of the API: Connect, gRPC, gRPC-Web, `POST /api/track` and health. */
  port: number;
  /** Encrypts what must be opened again: webhook secrets, stored answers. 32 bytes. */
  masterKey: Buffer;
  /** Master keys that open what they encrypted and encrypt nothing: those before, and one that is coming. */
  otherMasterKeys: readonly Buffer[];
  /** Keyed into the hash of API keys. 32 bytes. */
  keyPepper: Buffer;
  /** Peppers whose hashes are known too: those before, and one that is coming. */
  otherKeyPeppers: readonly Buffer[];
  /** Makes organizations over the API. 32 bytes. Undefined: nobody does. */
  operatorKey: Buffer | undefined;
  /** Proxies whose word for the caller's address (`x-forwarded-for`) is taken. */
  trustedProxies: readonly string[];
  /** Files of the certificate and of its key, as PEM. Undefined: the port speaks no TLS. */
  tls: { certFile: string; keyFile: string } | undefined;
  /** Origins whose pages may call from a browser, as `https://app.example.com`. */
  corsOrigins: readonly string[];
  /** Whether gRPC reflection tells everybody the contract. */
  reflection: boolean;
  /** True in the emulator alone: webhooks go to loopback addresses, and live keys are refused. */
  emulator: boolean;
  /** What is logged, as JSON lines on stderr: `debug`, `info`, `warn`, `error` or `silent`. */
  logLevel: LogLevel;
  /** Asked for by `/metrics`, as a bearer token. Undefined: the one port has no `/metrics`, and its own asks for nothing. */
  metricsToken: string | undefined;
  /** Port of `/metrics` alone, for workers too. Undefined: there is none. */
  metricsPort: number | undefined;
  /** Where that port listens. */
  metricsHost: string;
  /** How long a stop waits for calls in flight. */
  shutdownGraceMs: number;
  /**
   * How long a server that is stopping still takes calls, while it says that it is not ready: until load balancers have
   * noticed, and clients have left their connections.
   */
  shutdownDelayMs: number;
  /** Where a process without API answers `/healthz`, `/readyz` and gRPC health. Undefined: nowhere. */
  healthPort: number | undefined;
  /** How long a loop may show no sign of life before the process is not ready. */
  loopStallMs: number;
  /** Largest request body. */
  requestBytesMax: number;
  /** Longest time for a call; a shorter deadline of the client's holds. */
  requestTimeoutMs: number;
  /** How long a loop that found nothing waits before it looks again. */
  pollMs: number;
  /** Waits before the attempts of a delivery: none before the first, then those of the variable. After the last it is given up. */
  deliveryScheduleMs: readonly number[];
  /** Over look-up, connection, request and answer of one attempt. */
  deliveryTimeoutMs: number;
  /** How long a worker may hold a delivery. Longer than the timeout, so that only a dead worker loses one. */
  deliveryLeaseMs: number;
  /** Deliveries in flight in one process. */
  deliveryConcurrencyMax: number;
  /** Ranges that webhooks may go to though they are not public. Metadata services stay refused. With any, names are looked up as the system does it, two at a time. */
  deliveryAllowedCidrs: readonly string[];
  /** Longest wait that a receiver's `Retry-After` is granted. */
  retryAfterMaxMs: number;
  /** Failures in a row after which an endpoint rests between attempts. 0: none ever rests. */
  breakerFailures: number;
  /** How long an endpoint may fail before it is disabled. */
  disableAfterMs: number;
  /** How long an organization that is to be deleted waits for that, in days. */
  organizationDeletionDays: number;
  /** How long events, deliveries and attempts are kept at least; they go within the week after. What waits, and its event, stays. */
  webhookRetentionDays: number;
  /** Calls of one tenant that stream, in one process. */
  streamsPerTenantMax: number;
  /** How long a listener, and what waits for it, is kept after its last client. */
  listenerIdleMs: number;
  /** How long answers are kept for calls with an idempotency key. */
  answerRetentionMs: number;
}

const METRICS_TOKEN = /^[\w-]{20,200}$/;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const defaults: Omit<Config, "databaseUrl" | "workerDatabaseUrl" | "masterKey" | "keyPepper"> = {
  ...defaultLimits,
  listenUrl: undefined,
  otherMasterKeys: [],
  otherKeyPeppers: [],
  operatorKey: undefined,
  trustedProxies: [],
  databaseConnectionsMax: 16,
  statementTimeoutMs: 30 * SECOND,
  host: "127.0.0.1",
  port: 8080,
  tls: undefined,
  corsOrigins: [],
  reflection: false,
  emulator: false,
  logLevel: "info",
  metricsToken: undefined,
  metricsPort: undefined,
  metricsHost: "127.0.0.1",
  ...otlpOff,
  shutdownGraceMs: 10 * SECOND,
  shutdownDelayMs: SECOND,
  healthPort: undefined,
  loopStallMs: 5 * MINUTE,
  requestBytesMax: 4 * 1024 * 1024, // what gRPC clients expect of a server
  requestTimeoutMs: 60 * SECOND,
  pollMs: 250,
  // The example of Standard Webhooks 1.0.0: three days, which bridge a weekend.
  deliveryScheduleMs: [
    0,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
  ],
  deliveryTimeoutMs: 15 * SECOND,
  deliveryLeaseMs: 45 * SECOND,
  deliveryConcurrencyMax: 256,
  deliveryAllowedCidrs: [],
  retryAfterMaxMs: HOUR,
  breakerFailures: 10,
  disableAfterMs: 5 * 24 * HOUR,
  organizationDeletionDays: 30,
  webhookRetentionDays: 90,
  streamsPerTenantMax: 50,
  listenerIdleMs: 24 * HOUR,
  answerRetentionMs: 24 * HOUR,
};

/** Reads the environment. Throws one error that names every variable that is missing or wrong, and what it should be. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const problems: string[] = [];
  const { text, integer, schedule, cidrs, origins, onOff, key, keys } = settingReaders(env, problems);
  const logLevel = text("USAGEFLOW_LOG_LEVEL", defaults.logLevel);
  if (!LOG_LEVELS.some((level) => level === logLevel)) {
    problems.push(`USAGEFLOW_LOG_LEVEL must be debug, info, warn, error or silent, and is "${logLevel}"`);
  }
  const metricsToken = env.USAGEFLOW_METRICS_TOKEN || undefined;
  if (metricsToken && !METRICS_TOKEN.test(metricsToken)) {
    problems.push(
      "USAGEFLOW_METRICS_TOKEN must be 20 to 200 letters, digits, dashes and underscores: openssl rand -hex 32",
    );
  }
  const databaseUrl = text("DATABASE_URL");
  const workerDatabaseUrl = text("USAGEFLOW_WORKER_DATABASE_URL");
  const listenUrl = env.USAGEFLOW_LISTEN_URL || workerDatabaseUrl;
  const config: Config = {
    ...defaults,
    ...readLimits(integer),
    databaseUrl,
    workerDatabaseUrl,
    listenUrl: listenUrl === "off" ? undefined : listenUrl,
    databaseConnectionsMax: integer("USAGEFLOW_DATABASE_CONNECTIONS_MAX", defaults.databaseConnectionsMax),
    statementTimeoutMs: integer("USAGEFLOW_STATEMENT_TIMEOUT_MS", defaults.statementTimeoutMs),
    host: text("USAGEFLOW_HOST", defaults.host),
    port: integer("USAGEFLOW_PORT", defaults.port, 0, PORT_MAX),
    tls: env.USAGEFLOW_TLS_CERT_FILE
      ? { certFile: env.USAGEFLOW_TLS_CERT_FILE, keyFile: text("USAGEFLOW_TLS_KEY_FILE") }
      : undefined,
    corsOrigins: origins("USAGEFLOW_CORS_ORIGINS"),
    reflection: onOff("USAGEFLOW_REFLECTION", defaults.reflection),
    masterKey: key("USAGEFLOW_MASTER_KEY"),
    otherMasterKeys: keys("USAGEFLOW_OTHER_MASTER_KEYS"),
    keyPepper: key("USAGEFLOW_KEY_PEPPER"),
    otherKeyPeppers: keys("USAGEFLOW_OTHER_KEY_PEPPERS"),
    operatorKey: env.USAGEFLOW_OPERATOR_KEY ? key("USAGEFLOW_OPERATOR_KEY") : undefined,
    trustedProxies: cidrs("USAGEFLOW_TRUSTED_PROXIES"),
    logLevel: logLevel as LogLevel,
    metricsToken,
    metricsPort: env.USAGEFLOW_METRICS_PORT ? integer("USAGEFLOW_METRICS_PORT", 0, 0, PORT_MAX) : undefined,
    metricsHost: text("USAGEFLOW_METRICS_HOST", defaults.metricsHost),
    ...readOtlpConfig(env, problems),
    shutdownGraceMs: integer("USAGEFLOW_SHUTDOWN_GRACE_MS", defaults.shutdownGraceMs),
    shutdownDelayMs: integer("USAGEFLOW_SHUTDOWN_DELAY_MS", defaults.shutdownDelayMs, 0),
    healthPort: env.USAGEFLOW_HEALTH_PORT ? integer("USAGEFLOW_HEALTH_PORT", 0, 0, PORT_MAX) : undefined,
    loopStallMs: integer("USAGEFLOW_LOOP_STALL_MS", defaults.loopStallMs),
    requestBytesMax: integer("USAGEFLOW_REQUEST_BYTES_MAX", defaults.requestBytesMax),
    requestTimeoutMs: integer("USAGEFLOW_REQUEST_TIMEOUT_MS", defaults.requestTimeoutMs),
    pollMs: integer("USAGEFLOW_POLL_MS", defaults.pollMs),
    deliveryTimeoutMs: integer("USAGEFLOW_DELIVERY_TIMEOUT_MS", defaults.deliveryTimeoutMs),
    deliveryLeaseMs: integer("USAGEFLOW_DELIVERY_LEASE_MS", defaults.deliveryLeaseMs),
    deliveryConcurrencyMax: integer("USAGEFLOW_DELIVERY_CONCURRENCY_MAX", defaults.deliveryConcurrencyMax),
    deliveryAllowedCidrs: cidrs("USAGEFLOW_DELIVERY_ALLOWED_CIDRS"),
    deliveryScheduleMs: schedule("USAGEFLOW_RETRY_SCHEDULE_SECONDS", defaults.deliveryScheduleMs),
    retryAfterMaxMs: integer("USAGEFLOW_RETRY_AFTER_MAX_MS", defaults.retryAfterMaxMs, 0, TIME_MAX),
    breakerFailures: integer("USAGEFLOW_BREAKER_FAILURES", defaults.breakerFailures, 0),
    disableAfterMs: integer("USAGEFLOW_ENDPOINT_DISABLE_AFTER_MS", defaults.disableAfterMs, 1, TIME_MAX),
    organizationDeletionDays: integer(
      "USAGEFLOW_ORGANIZATION_DELETION_DAYS",
      defaults.organizationDeletionDays,
      1,
      DAYS_MAX,
    ),
    webhookRetentionDays: integer("USAGEFLOW_WEBHOOK_RETENTION_DAYS", defaults.webhookRetentionDays, 1, DAYS_MAX),
    streamsPerTenantMax: integer("USAGEFLOW_STREAMS_PER_TENANT_MAX", defaults.streamsPerTenantMax),
    listenerIdleMs: integer("USAGEFLOW_LISTENER_IDLE_MS", defaults.listenerIdleMs, 1, TIME_MAX),
    answerRetentionMs: integer("USAGEFLOW_ANSWER_RETENTION_MS", defaults.answerRetentionMs, 1, TIME_MAX),
  };
  if (config.deliveryLeaseMs <= config.deliveryTimeoutMs) {
    problems.push("USAGEFLOW_DELIVERY_LEASE_MS must be more than USAGEFLOW_DELIVERY_TIMEOUT_MS");
  }
  if (config.masterKey.length > 0 && config.masterKey.equals(config.keyPepper)) {
    problems.push(
      "USAGEFLOW_KEY_PEPPER must be another than USAGEFLOW_MASTER_KEY: one that leaks must not give away the other",
    );
  }
  if (env.USAGEFLOW_TLS_KEY_FILE && !config.tls) {
    problems.push("USAGEFLOW_TLS_CERT_FILE is not set, and USAGEFLOW_TLS_KEY_FILE is: TLS takes both");
  }
  const { operatorKey, masterKey, keyPepper } = config;
  if (operatorKey && operatorKey.length > 0 && [masterKey, keyPepper].some((own) => own.equals(operatorKey))) {
    problems.push("USAGEFLOW_OPERATOR_KEY must be another than the server's own keys: it is sent, and they never are");
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The environment does not make a configuration. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`configuration:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}
