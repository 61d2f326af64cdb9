import { type Kysely, Kysely as KyselyDatabase, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { HintedLoop } from "../hint.ts";
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
  /** Called when a connection that nobody uses fails; the pool makes another. */
  onIdleError: (error: Error) => void;
  /** Called when a transaction of `inTenant` has committed that left work for loops. */
  onWorkLeft?: (loops: ReadonlySet<HintedLoop>) => void;
}

const workLeftBy = new WeakMap<Tx, Set<HintedLoop>>();
const afterCommitOf = new WeakMap<Tx, (() => void)[]>();
const onWorkLeftOf = new WeakMap<Db, DatabaseOptions["onWorkLeft"]>();

/** A database as kysely, over a pool of its own. Close it with `destroy`. */
export function openDatabase(options: DatabaseOptions): { db: Db; pool: pg.Pool } {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    types,
    application_name: "usageflow",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.statementTimeoutMs,
    idle_in_transaction_session_timeout: 60_000,
  });
  // Without listeners a lost connection would end the process. The pool's own is off while a client is in use; the
  // statement under way hears of the loss by itself.
  pool.on("error", options.onIdleError);
  pool.on("connect", (client) => client.on("error", () => {}));
  const db = new KyselyDatabase<Tables>({ dialect: new PostgresDialect({ pool }) });
  onWorkLeftOf.set(db, options.onWorkLeft);
  return { db, pool };
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
