import { type Config, defaults } from "../../server/config.ts";
import { serve } from "../../server/main.ts";

// The server under test, in a process of its own: its defaults, and the database that the bench made for it.

interface Given {
  databaseUrl: string;
  workerDatabaseUrl: string;
  key: string;
  /** What is not as the defaults have it. */
  config?: Partial<Config>;
}

const given = JSON.parse(process.argv[2] as string) as Given;
const key = Buffer.from(given.key, "base64");
const config: Config = {
  ...defaults,
  databaseUrl: given.databaseUrl,
  workerDatabaseUrl: given.workerDatabaseUrl,
  port: 0,
  masterKey: key,
  keyPepper: key,
  ...given.config,
};
const served = await serve(config, "all");
process.send?.(served.url as string);
process.on("message", (asked) => {
  // The processor's time is asked for before and after a load.
  process.send?.(asked === "memory" ? process.memoryUsage().rss / 1024 / 1024 : process.cpuUsage());
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => void served.close().then(() => process.exit(0)));
