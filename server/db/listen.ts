import { randomUUID } from "node:crypto";
import pg from "pg";
import { type Clock, withDeadline } from "../clock.ts";

// How often it is tried whether a notification still arrives, and how long it may take to.
const PROBE_EVERY_MS = 30_000;
const ANSWER_MS = 5_000;
const BACK_OFF_MS = 100;
const BACK_OFF_MAX_MS = 30_000;

export interface ListenOptions {
  /** A direct connection: a pooler that shares connections from transaction to transaction passes no notification on. */
  url: string;
  channel: string;
  clock: Clock;
  /** Sends a notification over another connection. */
  notify(payload: string): Promise<void>;
  onNotification(payload: string): void;
  /** Called whenever notifications begin to arrive: some may have been missed before. */
  onListening(): void;
  onLost(error: unknown): void;
}

/**
 * Hears a channel of the database until `signal` aborts, over a connection of its own, which is made anew when it is lost. Never
 * rejects.
 */
export async function listen(options: ListenOptions, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    const onListening = () => {
      failures = 0;
      options.onListening();
    };
    try {
      await listenOnce({ ...options, onListening }, signal);
    } catch (error) {
      if (signal.aborted) return;
      options.onLost(error);
      await options.clock.sleep(Math.min(BACK_OFF_MS * 2 ** failures++, BACK_OFF_MAX_MS), signal);
    }
  }
}

/** Hears the channel over one connection: rejects when that is lost, or `signal` aborts. */
async function listenOnce(options: ListenOptions, signal: AbortSignal): Promise<never> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: "usageflow-listen",
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
  });
  const over = new AbortController();
  const lost = new Promise<never>((_, reject) => {
    client.on("error", reject);
    client.on("end", () => reject(new Error("the connection was closed")));
    signal.addEventListener("abort", () => reject(signal.reason), { once: true, signal: over.signal });
  });
  lost.catch(() => {}); // it may come when nobody waits for it
  const connecting = client.connect();
  try {
    await Promise.race([connecting, lost]);
    await Promise.race([client.query(`listen ${pg.escapeIdentifier(options.channel)}`), lost]);
    const probe = hearing(client, options);
    await Promise.race([probe(), lost]);
    options.onListening();
    for (;;) {
      await Promise.race([options.clock.sleep(PROBE_EVERY_MS, signal), lost]);
      await Promise.race([probe(), lost]);
    }
  } finally {
    over.abort();
    // Not waited for: a connection that is gone does not answer a farewell either.
    void connecting.then(() => client.end()).catch(() => {});
  }
}

/** Hands on what arrives, and answers how to try whether anything does. Nothing else would show that the other side is gone. */
function hearing(client: pg.Client, options: ListenOptions): () => Promise<void> {
  const own = randomUUID();
  let heard = () => {};
  client.on("notification", ({ payload = "" }) => (payload === own ? heard() : options.onNotification(payload)));
  return () =>
    withDeadline(ANSWER_MS, async (deadline) => {
      const arrived = new Promise<void>((resolve, reject) => {
        heard = resolve;
        const message = "no notification arrives: USAGEFLOW_LISTEN_URL must lead past any pooler, or be off";
        deadline.addEventListener("abort", () => reject(new Error(message)), { once: true });
      });
      await Promise.all([options.notify(own), arrived]);
    });
}
