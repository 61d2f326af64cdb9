import { sql } from "kysely";
import type { Db } from "./database.ts";
import { openDatabase } from "./database.ts";

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
 * and a member of `role`.
 */
export async function checkLogin(db: Db, role: "usageflow_app" | "usageflow_worker"): Promise<void> {
  const { rows } = await sql<{ login: string; unbound: boolean; owner: boolean; member: boolean }>`
    select r.rolname as login, r.rolsuper or r.rolbypassrls as unbound,
      exists (select from pg_class c where c.relowner = r.oid and c.relkind in ('r', 'p')) as owner,
      pg_has_role(r.oid, ${role}, 'usage') as member
    from pg_roles r where r.rolname = current_user`.execute(db);
  const [found] = rows;
  if (!found) throw new Error("the database does not know its own login");
  const { login } = found;
  if (found.unbound) {
    throw new Error(`login "${login}" is a superuser or has BYPASSRLS: row-level security would not bind it`);
  }
  if (found.owner) throw new Error(`login "${login}" owns tables: give it ${role} and no tables`);
  if (!found.member) throw new Error(`login "${login}" is no member of ${role}: grant ${role} to "${login}"`);
}
