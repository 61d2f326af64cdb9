import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { LogScan } from "./secret-scan.ts";

/** The real command. */
export const USAGEFLOW = new URL("../../cli/bin/run.js", import.meta.url).pathname;

/** Takes what a command said on stderr. `listen` says there, on purpose, what its webhooks are signed with. */
export function noteStderr(scan: LogScan, [command]: readonly string[], line: string): void {
  if (command !== "listen") scan.note(line);
}

/** How a process is started, and how it ends. */
export interface ProcessOptions {
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** For Node, before the command. */
  nodeArgs?: readonly string[];
  /** What ends it when the test is finished. Left out: SIGTERM. */
  signal?: NodeJS.Signals;
  /** Who looks through what it logs. */
  scan?: LogScan;
}

/**
 * Starts the real command as a process, which ends with the test. All that it says on stderr, where servers log, is looked
 * through: a secret there fails the test.
 */
export function startUsageflow(
  args: readonly string[],
  { env, cwd, nodeArgs = [], signal = "SIGTERM", scan = new LogScan() }: ProcessOptions,
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [...nodeArgs, USAGEFLOW, ...args], { cwd, env });
  const closed = once(child, "close"); // it is gone, and all that it said was read
  createInterface({ input: child.stderr }).on("line", (line) => noteStderr(scan, args, line));
  onTestFinished(async () => {
    child.kill(signal);
    await closed;
    scan.check();
  });
  return child;
}

/** The exit code of a process that was started; null when a signal ended it. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
