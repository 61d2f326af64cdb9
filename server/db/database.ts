import type { Socket } from "node:net";
import { type Kysely, Kysely as KyselyDatabase, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { HintedLoop } from "../hint.ts";
import { endsWithCall, leftMs } from "./call-time.ts";
import type { Tables } from "./tables.ts";

export type Db = Kysely<Tables>;
/** Proof of a transaction: kysely's types refuse a `Db` where a `Tx` is asked for. */
export type Tx = Transaction<Tables>;

// Numbers of the database stay exact: bigint becomes a JavaScript bigint, numeric stays the text that it is.
const types = {
  getTypeParser(oid: number, format?: "text" | "binary") {
    if (oid === pg.types.builtins.INT8) return BigInt;
    return pg.types.getTypeParser(oid, format);
  },
} as pg.CustomTypesConfig;

export interface DatabaseOptions {
  url: string;
  connectionsMax: number;
  statementTimeoutMs: number;
  /** How long a lock is waited for. Left out: as long as a statement may run. */
  lockTimeoutMs?: number;
  limits?: ConnectionLimits;
  /** Whether statements of a call end with its time. */
  forCalls?: boolean;
  /** Called when a connection that nobody uses fails; the pool makes another. */
  onIdleError: (error: Error) => void;
  /** Called whenever a statement was answered. */
  onAnswer?: () => void;
  /** Called when a transaction of `inTenant` has committed that left work for loops. */
  onWorkLeft?: (loops: ReadonlySet<HintedLoop>) => void;
}

/** Limits of a connection and of what runs on it. 0: none, but where it says otherwise. */
export interface ConnectionLimits {
  /** For a free connection, and for a new one. */
  waitMaxMs: number;
  lockTimeoutMs: number;
  idleInTransactionTimeoutMs: number;
  databaseTcpTimeoutMs: number;
  databaseCheckMs: number;
}

const DEFAULT_LIMITS: ConnectionLimits = {
  waitMaxMs: 10_000,
  lockTimeoutMs: 60_000,
  idleInTransactionTimeoutMs: 60_000,
  databaseTcpTimeoutMs: 0,
  databaseCheckMs: 0,
};

// How much longer than its own limit a statement may be silent: then the line is dead, and with it the connection.
const SILENCE_MS = 15_000;

const statementTimeoutOf = new WeakMap<Db, number>();
const workLeftBy = new WeakMap<Tx, Set<HintedLoop>>();
const afterCommitOf = new WeakMap<Tx, (() => void)[]>();
const onWorkLeftOf = new WeakMap<Db, DatabaseOptions["onWorkLeft"]>();

/** A database as kysely, over a pool of its own. Close it with `destroy`. */
export function openDatabase(options: DatabaseOptions): { db: Db; pool: pg.Pool } {
  const { limits = DEFAULT_LIMITS, statementTimeoutMs } = options;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    types,
    application_name: "usageflow",
    connectionTimeoutMillis: limits.waitMaxMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    statement_timeout: statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? limits.lockTimeoutMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionTimeoutMs,
    ...optionsOf(limits),
  });
  // Without listeners a lost connection would end the process. The pool's own is off while a client is in use; the
  // statement under way hears of the loss by itself.
  pool.on("error", options.onIdleError);
  pool.on("connect", (client) => {
    client.on("error", () => {});
    // What PostgreSQL ends by itself it says. Nothing at all means that the packets go nowhere.
    const { stream } = client.connection as unknown as { stream: Socket };
    stream.setTimeout(statementTimeoutMs + SILENCE_MS, () => stream.destroy());
  });
  const { onAnswer } = options;
  const db = new KyselyDatabase<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: options.forCalls ? [endsWithCall] : [],
    ...(onAnswer ? { log: ({ level }: { level: string }) => void (level === "query" && onAnswer()) } : {}),
  });
  statementTimeoutOf.set(db, statementTimeoutMs);
  onWorkLeftOf.set(db, options.onWorkLeft);
  return { db, pool };
}

/** What the protocol has no field for. */
function optionsOf({ databaseTcpTimeoutMs, databaseCheckMs }: ConnectionLimits): { options?: string } {
  const settings = [
    databaseTcpTimeoutMs > 0 ? `-c tcp_user_timeout=${databaseTcpTimeoutMs}` : [],
    databaseCheckMs > 0 ? `-c client_connection_check_interval=${databaseCheckMs}` : [],
  ].flat();
  return settings.length > 0 ? { options: settings.join(" ") } : {};
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Runs `work` in one transaction that sees one tenant's rows: row-level security takes the tenant from here, and
 * statements name it besides.
 */
export async function inTenant<T>(db: Db, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  const left = new Set<HintedLoop>();
  const after: (() => void)[] = [];
  const result = await db.transaction().execute(async (tx) => {
    workLeftBy.set(tx, left);
    afterCommitOf.set(tx, after);
    await enterTenant(tx, tenantId);
    const ms = leftMs();
    if (ms !== undefined && ms < (statementTimeoutOf.get(db) ?? 0)) {
      await sql.raw(`set local statement_timeout = ${Math.max(1, Math.ceil(ms))}`).execute(tx);
    }
    return work(tx);
  });
  if (left.size > 0) onWorkLeftOf.get(db)?.(left);
  for (const tell of after) tell();
  return result;
}

/** Says that the transaction makes work for a loop, which is woken as soon as that is committed, and not before. */
export function leaveWork(tx: Tx, loop: HintedLoop): void {
  workLeftBy.get(tx)?.add(loop);
}

/** Calls `tell`, which must not throw, when the transaction of `inTenant` has committed, and never if it does not. */
export function afterCommit(tx: Tx, tell: () => void): void {
  afterCommitOf.get(tx)?.push(tell);
}

/** Says whose rows the transaction sees from here to its end. */
export async function enterTenant(tx: Tx, tenantId: string): Promise<void> {
  if (!UUID.test(tenantId)) throw new Error("not a tenant id");
  // SET takes no parameters; the id was just checked. LOCAL: it ends with the transaction, whoever has the connection
  // next. A statement of its own: Citus forwards it only so.
  await sql.raw(`set local app.tenant_id = '${tenantId}'`).execute(tx);
}
