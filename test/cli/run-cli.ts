import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { chmod, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { makeScratch } from "../support/scratch.ts";
import { ended, startUsageflow } from "../support/usageflow.ts";

/** Where prepared data is kept for all tests. */
export const CACHE = new URL("../../node_modules/.cache/usageflow-test", import.meta.url).pathname;

/** Where Node keeps what it compiled for all commands: of itself it looks among temporary files, and those are a test's own. */
export const COMPILED = join(CACHE, "compiled");

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A folder of its own for a test: state, data and temporary files of the commands that run in it. */
export interface Place {
  folder: string;
  /** Runs a command to its end. */
  run(args: readonly string[], options?: { env?: Record<string, string>; input?: string }): Promise<Run>;
  /** Starts a command, and leaves it to the test. */
  start(args: readonly string[], env?: Record<string, string>): ChildProcessWithoutNullStreams;
  /** Starts an emulator, and answers it when it is ready. */
  startEmulator(...args: string[]): Promise<RunningEmulator>;
}

export interface RunningEmulator {
  ready: { type: string; url: string; apiKey: string; webhookSecret: string };
  /** What it printed after the first line. */
  lines: string[];
  /** Sends a signal, and answers the exit code; null when the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** The command as it was built (`npm test` builds it), as a real process, far from the settings of who runs the tests. */
export async function createPlace(): Promise<Place> {
  const folder = await makeScratch("usageflow-cli-");
  await chmod(folder, 0o755); // PostgreSQL may run under another account, and must reach its data
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const start = (args: readonly string[], env: Record<string, string> = {}) => {
    const own = {
      PATH: process.env.PATH ?? "",
      HOME: folder,
      TMPDIR: folder,
      USAGEFLOW_STATE_DIR: join(folder, "state"),
      USAGEFLOW_CACHE_DIR: CACHE, // what is in it is made once, not for each test
      NODE_COMPILE_CACHE: COMPILED,
    };
    return startUsageflow(args, { cwd: folder, env: { ...own, ...env } });
  };
  return {
    folder,
    start,
    async run(args, { env, input = "" } = {}) {
      const child = start(args, env);
      child.stdin.end(input);
      const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
      return { code, stdout, stderr };
    },
    async startEmulator(...args) {
      const child = start(["emulator", "start", "--json", "--port", "0", ...args]);
      const said = text(child.stderr);
      const lines: string[] = [];
      const first = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
          lines.push(line);
          resolve(line);
        });
        child.once("exit", async () => reject(new Error(`the emulator did not start: ${await said}`)));
      });
      lines.shift();
      return {
        ready: JSON.parse(first),
        lines,
        async stop(signal) {
          child.kill(signal);
          return ended(child);
        },
      };
    },
  };
}
