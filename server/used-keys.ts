import type { App } from "./app.ts";
import type { Db, Tx } from "./db/database.ts";

/** None of the master keys, or of the peppers, is one that the database was used with. */
export class KeysError extends Error {
  override name = "KeysError";
}

const KINDS = [
  { kind: "master key", ids: "masterKeyIds", first: "USAGEFLOW_MASTER_KEY", others: "USAGEFLOW_OTHER_MASTER_KEYS" },
  { kind: "pepper", ids: "pepperIds", first: "USAGEFLOW_KEY_PEPPER", others: "USAGEFLOW_OTHER_KEY_PEPPERS" },
] as const;

type Keys = Pick<App, "secrets" | "clock">;

/**
 * Throws where none of the keys is one that this database was used with: asked before anything is opened, signed or hashed.
 * A new key beside a known one is how keys are changed: from then on it is known too. Where there is no organization yet,
 * nothing depends on a key, and any will do.
 */
export async function checkKeys(db: Db | Tx, keys: Keys): Promise<void> {
  const used = await readUsedKeys(db);
  if (used.length > 0) await noteKeys(db, keys, used);
}

/** The same of whoever makes an organization: from then on something depends on these keys. */
export async function takeKeys(tx: Tx, keys: Keys): Promise<void> {
  await noteKeys(tx, keys, await readUsedKeys(tx));
}

interface UsedKey {
  kind: string;
  key_id: Buffer;
}

function readUsedKeys(db: Db | Tx): Promise<UsedKey[]> {
  return db.selectFrom("used_key").select(["kind", "key_id"]).orderBy("noted_at").orderBy("key_id").execute();
}

async function noteKeys(db: Db | Tx, { secrets, clock }: Keys, used: readonly UsedKey[]): Promise<void> {
  const wrong: string[] = [];
  const news: (UsedKey & { noted_at: Date })[] = [];
  for (const { kind, ids, first, others } of KINDS) {
    const known = used.filter((one) => one.kind === kind).map((one) => one.key_id);
    const given = secrets[ids];
    const strange = given.filter((id) => !known.some((one) => one.equals(id)));
    if (known.length > 0 && strange.length === given.length) {
      wrong.push(
        `the database was used with the ${kind} ${listed(known)}, and what is given here is ${listed(given)}: ` +
          `set ${first} to the one before, or have that among ${others} while you change it`,
      );
    }
    // The others only open what was made with them: nothing new depends on one.
    const [today] = given as [Buffer];
    if (strange.includes(today)) news.push({ kind, key_id: today, noted_at: clock.now() });
  }
  if (wrong.length > 0) throw new KeysError(wrong.join("; "));
  if (news.length === 0) return;
  const insert = db.insertInto("used_key").values(news);
  await insert.onConflict((on) => on.constraint("used_key_pkey").doNothing()).execute(); // another process was first
}

function listed(ids: readonly Buffer[]): string {
  return ids.map((id) => id.toString("hex")).join(" or ");
}
