import { sql } from "kysely";
import { type Db, inTenant } from "./db/database.ts";
import { openAsOwner } from "./db/login.ts";
import { placeIds } from "./rotate-secrets.ts";
import { sealedColumns } from "./sealed-column.ts";
import type { Secrets } from "./secrets.ts";

/** How many values depend on a master key or a pepper. */
export interface SecretUse {
  /** What they are: `endpoint secrets`. */
  what: string;
  /** Id of the key, in hex. Empty: of an API key that was made before peppers had ids, and not used since. */
  keyId: string;
  /** What the key is here: that of today, another that is known, or one that is not. */
  key: "today" | "other" | "missing" | "unknown";
  count: number;
}

/** What is sealed, signed or hashed with which key, over all tenants and organizations. As the owner of the schema. No secret is opened. */
export async function readSecretUse(ownerUrl: string, secrets: Secrets, now: Date): Promise<SecretUse[]> {
  const db = await openAsOwner(ownerUrl, 60_000);
  const uses = new Map<string, SecretUse>();
  try {
    for (const tenantId of await placeIds(db)) {
      for (const one of await usesOf(db, secrets, tenantId, now)) {
        const place = `${one.what}|${one.keyId}`;
        uses.set(place, { ...one, count: one.count + (uses.get(place)?.count ?? 0) });
      }
    }
  } finally {
    await db.destroy();
  }
  const order = [...sealedColumns.map(({ what }) => what), AUDIT_ENTRIES, API_KEYS, ACCESS_TOKENS, INVITES];
  return [...uses.values()].sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what) || compare(a.keyId, b.keyId));
}

const API_KEYS = "API keys";
const ACCESS_TOKENS = "access tokens";
const INVITES = "invites";
const AUDIT_ENTRIES = "audit entries";

/** Whether a rotation makes them anew: an entry of the audit log would prove nothing if it did. */
export function isSealed({ what }: SecretUse): boolean {
  return sealedColumns.some((one) => one.what === what);
}

function usesOf(db: Db, secrets: Secrets, tenantId: string, now: Date): Promise<SecretUse[]> {
  return inTenant(db, tenantId, async (tx) => {
    const uses: SecretUse[] = [];
    const add = (what: string, known: readonly Buffer[], rows: readonly Counted[]) => {
      const told = rows.map(({ id, count }) => ({
        what,
        keyId: id?.toString("hex") ?? "",
        key: keyOf(known, id),
        count,
      }));
      uses.push(...told);
    };
    for (const { what, table, column } of sealedColumns) {
      const { rows } = await sql<Counted>`
        select substring(${sql.ref(column)} from 2 for 4) as id, count(*)::integer as count from ${sql.table(table)}
        where tenant_id = ${tenantId} and ${sql.ref(column)} is not null group by 1`.execute(tx);
      add(what, secrets.masterKeyIds, rows);
    }
    const signed = await sql<Counted>`
      select substring(hash from 1 for 4) as id, count(*)::integer as count from audit_entry
      where tenant_id = ${tenantId} group by 1`.execute(tx);
    add(AUDIT_ENTRIES, secrets.masterKeyIds, signed.rows);
    const keys = await sql<Counted>`
      select pepper_id as id, count(*)::integer as count from api_key
      where tenant_id = ${tenantId} and revoked_at is null and (expires_at is null or expires_at > ${now})
      group by 1`.execute(tx);
    add(API_KEYS, secrets.pepperIds, keys.rows);
    const tokens = await sql<Counted>`
      select pepper_id as id, count(*)::integer as count from access_token
      where organization_id = ${tenantId} and revoked_at is null and expires_at > ${now} group by 1`.execute(tx);
    add(ACCESS_TOKENS, secrets.pepperIds, tokens.rows);
    const invites = await sql<Counted>`
      select invite_pepper_id as id, count(*)::integer as count from member
      where organization_id = ${tenantId} and joined_at is null and invite_expires_at > ${now} group by 1`.execute(tx);
    add(INVITES, secrets.pepperIds, invites.rows);
    return uses;
  });
}

interface Counted {
  id: Buffer | null;
  count: number;
}

function keyOf(known: readonly Buffer[], id: Buffer | null): SecretUse["key"] {
  if (!id) return "unknown";
  const place = known.findIndex((one) => one.equals(id));
  return place === 0 ? "today" : place > 0 ? "other" : "missing";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
