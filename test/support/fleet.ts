import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Harness } from "./harness.ts";
import { ended, startUsageflow } from "./usageflow.ts";

export type FleetRole = "api" | "worker";

/** A process of the server. */
export interface ServerProcess {
  child: ChildProcess;
  /** Where an API listens. */
  url: string;
}

/** Server processes on the database of a harness, each with a role of its own. */
export interface Fleet {
  /** The URL of an API: of that which has the place now. */
  url(place: number): string;
  /** SIGKILLs the process in a place. Another takes it: `url` answers it as soon as it is ready. */
  kill(role: FleetRole, place: number): Promise<void>;
}

/** The environment of servers on the database of a harness, with settings of their own. */
export function serverEnv({ app, database }: Harness, settings: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATABASE_URL: database.databaseUrl,
    USAGEFLOW_WORKER_DATABASE_URL: database.workerDatabaseUrl,
    USAGEFLOW_MASTER_KEY: app.config.masterKey.toString("base64"),
    USAGEFLOW_KEY_PEPPER: app.config.keyPepper.toString("base64"),
    USAGEFLOW_LOG_LEVEL: "debug", // nobody reads it, but that no secret is in it
    USAGEFLOW_PORT: "0",
    USAGEFLOW_POLL_MS: "20",
    USAGEFLOW_SHUTDOWN_DELAY_MS: "0",
    ...settings,
  };
}

/** Returns when a process that was just spawned, its output in a pipe, has said that it is ready. */
export function whenReady(child: ChildProcess): Promise<ServerProcess> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.once("line", (line) => resolve({ child, url: JSON.parse(line).url }));
    child.once("exit", (code, signal) => reject(new Error(`a server ended with ${code ?? signal}`)));
  });
}

/** Starts processes of the real command, `count` of each role. They end with the test. */
export async function startFleet(
  harness: Harness,
  count: number,
  settings: Record<string, string> = {},
): Promise<Fleet> {
  const env = serverEnv(harness, settings);
  const start = (role: FleetRole): Promise<ServerProcess> => {
    const child = startUsageflow(["serve", "--role", role, "--json"], { env, signal: "SIGKILL" });
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!line.startsWith("{")) process.stderr.write(`${line}\n`); // no log: why it broke down
    });
    return whenReady(child);
  };
  const startAll = (role: FleetRole) => Promise.all(Array.from({ length: count }, () => start(role)));
  const [apis, workers] = await Promise.all([startAll("api"), startAll("worker")]);
  const members: Record<FleetRole, ServerProcess[]> = { api: apis, worker: workers };
  return {
    url: (place) => (members.api[place % count] as ServerProcess).url,
    async kill(role, place) {
      const { child } = members[role][place % count] as ServerProcess;
      child.kill("SIGKILL");
      await ended(child);
      members[role][place % count] = await start(role);
    },
  };
}
