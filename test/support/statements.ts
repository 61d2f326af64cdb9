import type pg from "pg";

/** The text of every statement that a pool sends from now on, in order. */
export function watchStatements(pool: pg.Pool): string[] {
  const sent: string[] = [];
  const watched = new WeakSet<pg.PoolClient>();
  pool.on("acquire", (client) => {
    if (watched.has(client)) return;
    watched.add(client);
    const query = client.query.bind(client) as (...given: unknown[]) => unknown;
    const watch = (...given: unknown[]) => {
      const [first] = given as [string | { text: string }];
      sent.push(typeof first === "string" ? first : first.text);
      return query(...given);
    };
    Object.assign(client, { query: watch });
  });
  return sent;
}
