import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSecret } from "../../server/tenant/secret-text.ts";

// Looks for secrets where none may be: in what the servers of all tests logged, and in all that was written to the databases of
// a run. Those are dropped one by one, but PostgreSQL's write-ahead log has had every row of them.

const serverKey = (name: string) => createHash("sha256").update(name).digest();
/** The keys of the tests' servers: always the same, so that they are known when they turn up. */
export const SERVER_KEYS = {
  master: serverKey("master"),
  pepper: serverKey("pepper"),
  operator: serverKey("operator"),
};
const KEY_TEXTS = Object.values(SERVER_KEYS).flatMap((key) =>
  (["base64", "base64url", "hex", "latin1"] as const).map((form) => key.toString(form).replace(/=+$/, "")),
);

const SECRET = /uf_(?:live|test|pat|inv)_[0-9A-Za-z]{71}|(?:whsec|whsk)_[0-9A-Za-z+/]{32,86}/g;
/** In secrets that tests make up and write where texts go, such as an endpoint's description. */
const MADE_UP = "MADEUP";
const CHUNK_BYTES = 16 * 1024 * 1024;
/** A secret may lie across the end of a chunk. */
const OVERLAP_BYTES = 256;

/** The secrets in a text. A key or token counts when its checksum is right: others open nothing. */
export function secretsIn(text: string): string[] {
  const found = text.match(SECRET) ?? [];
  const secrets = found.filter((one) => !one.includes(MADE_UP) && (one.startsWith("wh") || readSecret(one)));
  return [...secrets, ...KEY_TEXTS.filter((key) => text.includes(key))];
}

/** A line of a log, or what an emulator says in words of one. */
const LOG_LINE = /^(?:\{"level":|[a-z_.]+ [a-z_]+=)/;

/** Looks through what servers log. */
export class LogScan {
  readonly #leaks: string[] = [];

  /** Takes what was logged. */
  note(line: string): void {
    if (secretsIn(line).length > 0) this.#leaks.push(line);
  }

  /** Takes what a terminal shows, where a log stands among answers that show a secret on purpose. */
  notePrinted(text: string): void {
    for (const line of text.split("\n")) if (LOG_LINE.test(line)) this.note(line);
  }

  /** Throws when there was a secret since it was called last. */
  check(): void {
    const [leak] = this.#leaks.splice(0);
    if (leak !== undefined) throw new Error(`a secret is in the log: ${leak}`);
  }
}

/** Where below a PostgreSQL's data there is a secret. The server is to be stopped. */
export async function secretsBelow(dataDir: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ["base", "pg_wal"]) {
    const entries = await readdir(join(dataDir, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      found.push(...(await secretsInFile(path)).map((secret) => `${folder}/${entry.name}: ${secret.slice(0, 16)}...`));
    }
  }
  return found;
}

async function secretsInFile(path: string): Promise<string[]> {
  const file = await open(path);
  const chunk = Buffer.alloc(CHUNK_BYTES + OVERLAP_BYTES);
  const found = new Set<string>();
  try {
    for (let at = 0; ; at += CHUNK_BYTES) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      for (const secret of secretsIn(chunk.toString("latin1", 0, bytesRead))) found.add(secret);
      if (bytesRead < chunk.length) return [...found];
    }
  } finally {
    await file.close();
  }
}
