import { chmod, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type EmbeddedPostgres, startPostgres } from "../../cli/emulator/postgres.ts";
import { makeScratch } from "./scratch.ts";
import { makeTemplate } from "./template.ts";

/** A PostgreSQL server of a test's own, which may be ended under everybody's feet. */
export interface OwnPostgres {
  /** Superuser's URL of a database that is not a test's. The same after each restart. */
  adminUrl: string;
  /** Where its data is. */
  dataDir: string;
  /**
   * `fast` ends all sessions and closes in order; `immediate` drops everything, and the start is a recovery. `meanwhile` is
   * done while it is away.
   */
  restart(how: "fast" | "immediate", meanwhile: () => Promise<void>): Promise<void>;
}

/** Starts one, with the template to clone. Whatever it committed survives each restart. Stopped with the test. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = await makeScratch("usageflow-postgres-");
  await chmod(folder, 0o755); // PostgreSQL may run under another account, and must reach its data
  const dataDir = join(folder, "postgres");
  const start = (settings: Record<string, string>) =>
    startPostgres({ dataDir, durable: true, password: "test", settings: { max_connections: "200", ...settings } });
  let server: EmbeddedPostgres = await start({});
  onTestFinished(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const { url: adminUrl, port } = server;
  await makeTemplate(adminUrl);
  return {
    adminUrl,
    dataDir,
    async restart(how, meanwhile) {
      if (how === "immediate") {
        const pid = Number((await readFile(join(dataDir, "postmaster.pid"), "utf8")).split("\n")[0]);
        process.kill(pid, "SIGQUIT");
      }
      await server.stop(); // waits for the end, however it came
      await meanwhile();
      server = await start({ port: String(port) });
    },
  };
}
