import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";

const ROWS_MAX = 1_000;

/** Forgets stored answers that are older than they are kept. */
export async function purgeAnswers(app: App): Promise<number> {
  const before = plusMs(app.clock.now(), -app.config.answerRetentionMs);
  const { numDeletedRows } = await app.workerDb
    .deleteFrom("rpc_answer")
    .where("created_at", "<", before)
    .where("created_at", "<=", (query) =>
      // The age of the oldest thousand: one short statement at a time.
      query
        .selectFrom((inner) =>
          inner
            .selectFrom("rpc_answer")
            .select("created_at")
            .where("created_at", "<", before)
            .orderBy("created_at")
            .limit(ROWS_MAX)
            .as("oldest"),
        )
        .select((expression) => expression.fn.max("oldest.created_at").as("until")),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}
