import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { makeScratch } from "../support/scratch.ts";
import { LogScan } from "../support/secret-scan.ts";
import { noteStderr } from "../support/usageflow.ts";
import type { Place } from "./run-cli.ts";

const root = new URL("../../", import.meta.url).pathname;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type Main = (argv: readonly string[], root: string) => Promise<void>;
// Required, not imported: so the command and what oclif loads for it are the same modules, and those that were built.
const { main } = createRequire(import.meta.url)("../../dist/cli/main.js") as { main: Main };

/** Runs commands in this process, one after the other: ten of them cost what one process does. */
export interface Here extends Pick<Place, "folder"> {
  run(args: readonly string[], options?: HereOptions): ReturnType<Place["run"]>;
}

interface HereOptions {
  env?: Record<string, string>;
  input?: string;
  /** Of the terminal that stdout is. Left out: it is none. */
  columns?: number;
}

/** The command as it was built, with these settings and no others. Its input is empty, and none of it a terminal. */
export async function createHere(env: Record<string, string> = {}): Promise<Here> {
  const folder = await makeScratch("usageflow-here-");
  const own = { HOME: folder, USAGEFLOW_STATE_DIR: join(folder, "state"), ...env };
  for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0); // each run adds one, for a closed pipe
  const scan = new LogScan();
  onTestFinished(async () => {
    await rm(folder, { recursive: true, force: true });
    scan.check();
  });
  return {
    folder,
    async run(args, { env: more = {}, input = "", columns } = {}) {
      const told = { stdout: "", stderr: "" };
      const restored = [
        replaced(process.stdout, "write", writerInto(told, "stdout")),
        replaced(process.stderr, "write", writerInto(told, "stderr")),
        replaced(process, "stdin", Readable.from(input === "" ? [] : [Buffer.from(input)])),
        replaced(process.stdout, "isTTY", columns !== undefined),
        replaced(process.stdout, "columns", columns),
        environment({ ...own, ...more }),
        workplace(folder),
        signals(),
      ];
      process.exitCode = undefined;
      try {
        await main(args, root);
        return { ...told, code: Number(process.exitCode ?? 0) };
      } finally {
        for (const restore of restored) restore();
        noteStderr(scan, args, told.stderr);
        process.exitCode = undefined;
      }
    },
  };
}

/** Puts something else in a property's place, and answers how to undo it. */
function replaced(owner: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  return () => {
    if (before) Object.defineProperty(owner, name, before);
    else Reflect.deleteProperty(owner, name);
  };
}

function writerInto(told: Record<string, string>, name: string) {
  return (chunk: string | Uint8Array, ...rest: unknown[]) => {
    told[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    const done = rest.at(-1);
    if (typeof done === "function") done();
    return true;
  };
}

/** These variables, and none of whoever runs the tests that a command reads. Changed in place: the system reads them too. */
function environment(env: Record<string, string>): () => void {
  const before = { ...process.env };
  for (const name of Object.keys(before)) if (/^(USAGEFLOW_|XDG_|DATABASE_URL)/.test(name)) delete process.env[name];
  Object.assign(process.env, env);
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  };
}

function workplace(folder: string): () => void {
  const before = process.cwd();
  process.chdir(folder);
  return () => process.chdir(before);
}

/** Those who listen for signals: a command does, to its end, and the process of the tests goes on. */
function signals(): () => void {
  const before = SIGNALS.map((name) => process.listeners(name));
  return () => {
    for (const [at, name] of SIGNALS.entries()) {
      for (const one of process.listeners(name)) if (!before[at]?.includes(one)) process.off(name, one);
    }
  };
}
