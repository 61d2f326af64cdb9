import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant } from "../db/database.ts";
import { errorFacts } from "../log.ts";
import type { KeyHash } from "../secrets.ts";

/** How old the time of a key's last use may be before it is written again. */
const STALE_MS = 60_000;
// More keys than this in use for the first time within a minute: the others are written at their next use.
const WAITING_MAX = 10_000;

/** A use of an API key or an access token. */
export interface KeyUse {
  table: "api_key" | "access_token";
  /** The tenant, or the organization. */
  place: string;
  /** UUID of the key. */
  id: string;
  lastUsedAt: Date | null;
  /** Process time. */
  at: Date;
  /** The key's hash with the pepper of today. */
  newest: KeyHash;
}

/**
 * Writes when API keys and access tokens were last used, and their hashes with the pepper of today: once a minute for each key, whatever the
 * number of processes. Beside the calls, one after the other: no call waits for it, and it takes one connection at most.
 */
export class KeyUses {
  readonly #app: App;
  readonly #waiting = new Map<string, KeyUse>();
  #writing: Promise<void> | undefined;

  constructor(app: App) {
    this.#app = app;
  }

  /** Has a use written, unless the one before was less than a minute earlier. */
  note(use: KeyUse): void {
    if (use.lastUsedAt && use.lastUsedAt > plusMs(use.at, -STALE_MS)) return;
    if (this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(use.id, use);
    this.#writing ??= this.#writeAll();
  }

  /** Returns when nothing waits to be written. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (const [id, use] of this.#waiting) {
      this.#waiting.delete(id);
      await write(this.#app, use).catch((error) => this.#app.log.warn("key_use.not_written", errorFacts(error)));
    }
    this.#writing = undefined;
  }
}

async function write(app: App, { table, place, id, at, newest }: KeyUse): Promise<void> {
  const placeColumn = sql.ref(table === "api_key" ? "tenant_id" : "organization_id");
  await inTenant(app.db, place, (tx) =>
    sql`
      update ${sql.table(table)} set last_used_at = ${at}, hash = ${newest.hash}, pepper_id = ${newest.pepperId}
      where ${placeColumn} = ${place} and id = ${id}
        and (last_used_at is null or last_used_at <= ${plusMs(at, -STALE_MS)})`.execute(tx),
  );
}
