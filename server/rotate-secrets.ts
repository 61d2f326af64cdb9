import { sql } from "kysely";
import { type Db, inTenant, type Tx } from "./db/database.ts";
import { openAsOwner } from "./db/login.ts";
import { type SealedColumn, sealedColumns } from "./sealed-column.ts";
import type { Secrets } from "./secrets.ts";

// Values in one transaction: their rows are locked until it ends.
const BATCH = 50;

/** What a rotation did. */
export interface Rotation {
  /** Values that were sealed anew. */
  sealed: number;
  /** Values that do not open: sealed with a key that is not here, or moved, or changed. */
  unreadable: number;
}

export interface RotationOptions {
  /** Ends it after the transaction under way. */
  stop?: AbortSignal;
  /** Hears how many values were sealed so far. */
  onSealed?: (sealed: number) => void;
}

/**
 * Seals everything anew that is not sealed with the master key of today. As the owner of the schema, tenant by tenant, in
 * small transactions: whatever ends it half-way, what is done is done, and it goes on when it is run again. Servers may be
 * at work. It waits for nobody's lock: what others have locked, it comes back to.
 */
export async function rotateSecrets(
  ownerUrl: string,
  secrets: Secrets,
  options: RotationOptions = {},
): Promise<Rotation> {
  const { stop, onSealed } = options;
  const db = await openAsOwner(ownerUrl, 60_000);
  const total: Rotation = { sealed: 0, unreadable: 0 };
  try {
    for (const tenantId of await placeIds(db)) {
      for (const column of sealedColumns) {
        // Again until a pass finds nothing to do: one may have passed by rows that were locked.
        for (let sealed = 1; sealed > 0 && !stop?.aborted; ) {
          const before = total.sealed;
          const pass = await sealColumn(db, secrets, tenantId, column, {
            ...(stop ? { stop } : {}),
            onSealed: (count) => onSealed?.(before + count),
          });
          sealed = pass.sealed;
          total.sealed += sealed;
          if (sealed === 0) total.unreadable += pass.unreadable;
        }
      }
    }
  } finally {
    await db.destroy();
  }
  return total;
}

/** All tenants and organizations, whose rows can only be seen one by one. */
export async function placeIds(db: Db): Promise<string[]> {
  const tenants = db.selectFrom("tenant").select("tenant_id as id");
  const rows = await tenants.unionAll(db.selectFrom("organization").select("id")).orderBy("id").execute();
  return rows.map((row) => row.id);
}

async function sealColumn(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  column: SealedColumn,
  { stop, onSealed }: RotationOptions,
): Promise<Rotation> {
  const done: Rotation = { sealed: 0, unreadable: 0 };
  for (let after: string[] | undefined = []; after && !stop?.aborted; ) {
    const rows: SealedRow[] = await inTenant(db, tenantId, async (tx) => {
      const found = await readBatch(tx, secrets, tenantId, column, after as string[]);
      for (const row of found) {
        const sealed = sealAnew(secrets, column.place(tenantId, row.key), row.sealed);
        if (sealed) await write(tx, tenantId, column, row.key, sealed);
        done[sealed ? "sealed" : "unreadable"]++;
      }
      return found;
    });
    after = rows.at(-1)?.key;
    if (after) onSealed?.(done.sealed);
  }
  return done;
}

interface SealedRow {
  key: [string, ...string[]];
  sealed: Buffer;
}

async function readBatch(tx: Tx, secrets: Secrets, tenantId: string, of: SealedColumn, after: readonly string[]) {
  const key = sql.join(of.key.map((name) => sql.ref(name)));
  const column = sql.ref(of.column);
  const { rows } = await sql<SealedRow>`
    select array[${sql.join(of.key.map((name) => sql`${sql.ref(name)}::text`))}] as key, ${column} as sealed
    from ${sql.table(of.table)}
    where tenant_id = ${tenantId} and substring(${column} from 2 for 4) <> ${secrets.masterKeyIds[0]}
      ${after.length > 0 ? sql`and (${key}) > (${sql.join(after)})` : sql``}
    order by ${key} limit ${BATCH} for no key update skip locked`.execute(tx);
  return rows;
}

function sealAnew(secrets: Secrets, place: string, sealed: Buffer): Buffer | undefined {
  try {
    return secrets.seal(secrets.open(sealed, place), place);
  } catch {
    return undefined;
  }
}

async function write(
  tx: Tx,
  tenantId: string,
  of: SealedColumn,
  key: readonly string[],
  sealed: Buffer,
): Promise<void> {
  await sql`
    update ${sql.table(of.table)} set ${sql.ref(of.column)} = ${sealed}
    where tenant_id = ${tenantId} and (${sql.join(of.key.map((name) => sql.ref(name)))}) = (${sql.join(key)})`.execute(
    tx,
  );
}
