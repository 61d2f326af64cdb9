import { setImmediate } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { answerError } from "../../server/rpc/answer-error.ts";
import { setup } from "../support/harness.ts";

test("a call whose connection is cut, at a statement or between two, is answered as one to be made again", async () => {
  const { app, ownerDb } = await setup();
  const cut = async (heard: boolean) =>
    app.db
      .transaction()
      .execute(async (tx) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
        await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(ownerDb);
        if (heard) await setImmediate(); // now the driver knows, and sends nothing any more
        await sql`select 1`.execute(tx);
      })
      .catch((error) => answerError(app, error, "request").code);
  for (let tries = 0; tries < 5; tries++) {
    expect(await cut(false)).toBe(Code.Unavailable);
    expect(await cut(true)).toBe(Code.Unavailable);
  }
});
