import { type RawBuilder, sql } from "kysely";
import type { Db } from "./database.ts";
import { openDatabase } from "./database.ts";

/** The login is another than the work takes. */
export class LoginError extends Error {
  override name = "LoginError";
}

const LOGINS = { databaseUrl: "usageflow_app", workerDatabaseUrl: "usageflow_worker" } as const;

/** URLs of the application's and the workers' logins, with the password of the owner's URL (see `setLoginPasswords`). */
export function appUrls(ownerUrl: string): Record<keyof typeof LOGINS, string> {
  const urlOf = (role: string) => {
    const url = new URL(ownerUrl);
    url.username = role;
    return url.href;
  };
  return { databaseUrl: urlOf(LOGINS.databaseUrl), workerDatabaseUrl: urlOf(LOGINS.workerDatabaseUrl) };
}

/** Gives both logins the owner's password: for a server that is ours alone, the embedded one or a test's. */
export async function setLoginPasswords(ownerUrl: string): Promise<void> {
  const password = decodeURIComponent(new URL(ownerUrl).password);
  if (password === "") return;
  const { db } = openDatabase({
    url: ownerUrl,
    connectionsMax: 1,
    statementTimeoutMs: 10_000,
    onIdleError: () => {},
  });
  try {
    for (const role of Object.values(LOGINS)) {
      await sql`alter role ${sql.id(role)} password ${sql.lit(password)}`.execute(db);
    }
  } finally {
    await db.destroy();
  }
}

/**
 * Whether a statement ends by itself when it takes too long. Connections ask for that; a pooler may be told to ignore it, and
 * then the login has to have it.
 */
export async function hasStatementTimeout(db: Db): Promise<boolean> {
  const { rows } = await sql<{ ms: string }>`select current_setting('statement_timeout') as ms`.execute(db);
  return rows[0]?.ms !== "0";
}

/**
 * Throws unless the login is one that row-level security binds: neither superuser nor BYPASSRLS nor an owner of tables,
 * a member of `role`, and not of the other's: the workers' sees the work of all tenants.
 */
export async function checkLogin(db: Db, role: "usageflow_app" | "usageflow_worker"): Promise<void> {
  const other = role === "usageflow_app" ? "usageflow_worker" : "usageflow_app";
  const { rows } = await sql<{ login: string; unbound: boolean; owner: boolean; member: boolean; both: boolean }>`
    select r.rolname as login, r.rolsuper or r.rolbypassrls as unbound,
      exists (select from pg_class c where c.relowner = r.oid and c.relkind in ('r', 'p')) as owner,
      pg_has_role(r.oid, ${role}, 'usage') as member, pg_has_role(r.oid, ${other}, 'member') as both
    from pg_roles r where r.rolname = current_user`.execute(db);
  const [found] = rows;
  if (!found) throw new Error("the database does not know its own login");
  const { login } = found;
  if (found.unbound) {
    throw new Error(`login "${login}" is a superuser or has BYPASSRLS: row-level security would not bind it`);
  }
  if (found.owner) throw new Error(`login "${login}" owns tables: give it ${role} and no tables`);
  if (found.both) {
    throw new Error(`login "${login}" has the rights of ${other}: it takes one that has those of ${role} alone`);
  }
  if (!found.member) throw new Error(`login "${login}" is no member of ${role}: grant ${role} to "${login}"`);
}

/** A database of one connection for what its owner does. Close it with `destroy`. */
export async function openAsOwner(ownerUrl: string, statementTimeoutMs: number): Promise<Db> {
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs, onIdleError: () => {} });
  try {
    await checkSees(db, sql`(select pg_get_userbyid(relowner) from pg_class where oid = to_regclass('public.tenant'))`);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return db;
}

/** Throws unless the login is one to whom the workers' policies show what there is to do. */
export function checkWorkersLogin(db: Db): Promise<void> {
  return checkSees(db, sql`(select rolname from pg_roles where rolname = 'usageflow_worker')`);
}

/**
 * From a login that lacks the rights of `role`, policies hide rows without a word: nothing would be found, and taken for what
 * is not there. Where there is no such role, there is no schema either, and the next statement says so.
 */
async function checkSees(db: Db, role: RawBuilder<unknown>): Promise<void> {
  const { rows } = await sql<{ login: string; wanted: string }>`
    select current_user as login, wanted from (select ${role}::text as wanted) as one
    where not pg_has_role(wanted, 'usage')`.execute(db);
  const [wrong] = rows;
  if (wrong) {
    throw new LoginError(`login "${wrong.login}" would not see all there is: this takes that of "${wrong.wanted}"`);
  }
}
