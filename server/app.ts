import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Db } from "./db/database.ts";
import type { Log } from "./log.ts";
import type { Secrets } from "./secrets.ts";

/** What every part of the server is given. Only `main.ts`, the emulator and the tests make one. */
export interface App {
  readonly config: Config;
  /** As the role usageflow_app: for calls. */
  readonly db: Db;
  /** As the role usageflow_worker: for loops. */
  readonly workerDb: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly secrets: Secrets;
}
