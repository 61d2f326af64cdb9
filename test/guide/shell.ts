import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { CACHE, COMPILED } from "../cli/run-cli.ts";
import { createHere } from "../cli/run-here.ts";
import { LogScan } from "../support/secret-scan.ts";
import { ended } from "../support/usageflow.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Where a reader of a page sits: a folder, and terminals in it. */
export interface Shell {
  folder: string;
  /** Runs a command to its end, and answers all that it printed. What it exports is there for the next. */
  run(command: string): Promise<string>;
  /** Starts a command that goes on. */
  start(command: string): Promise<Terminal>;
}

/** A terminal in which a command runs. */
export interface Terminal {
  /** All that it has printed so far. */
  printed(): string;
  /** Ctrl-C. */
  stop(): Promise<void>;
}

/** What a command of a page exports, others read. */
const EXPORTED = /^(USAGEFLOW|DATABASE)_/;
/** What only a shell understands. */
const SHELL = /[|<>;&$`*(){}#~]/;

/** A folder of its own in which `npx usageflow` is what was built. */
export async function createShell(): Promise<Shell> {
  const { folder, run } = await createHere();
  await chmod(folder, 0o755); // PostgreSQL may run under another account, and must reach its data
  const bin = join(folder, ".bin");
  await mkdir(bin);
  // In the place of npx, which looks things up for half a second.
  const stand = async (name: string, line: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await stand("npx", `shift; exec "${process.execPath}" "${root}cli/bin/run.js" "$@"`);
  await stand("curl", `PATH=\${PATH#*:} exec curl --silent --show-error "$@"`); // it draws when its output is no terminal
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules/usageflow"), "dir"); // as after npm install
  const state = join(folder, ".env-of-terminal");
  const env = {
    PATH: [bin, join(root, "node_modules/.bin"), process.env.PATH].join(":"),
    HOME: folder,
    USAGEFLOW_STATE_DIR: join(folder, "state"),
    USAGEFLOW_CACHE_DIR: CACHE,
    NODE_COMPILE_CACHE: COMPILED,
  };
  await writeFile(state, "");
  const children = new Set<ChildProcess>();
  const scan = new LogScan();
  onTestFinished(async () => {
    for (const child of children) kill(child, "SIGTERM");
    await Promise.all([...children].map(ended));
    scan.check();
  });
  const exported = async () => {
    const all = (await readFile(state, "utf8")).split("\0").filter((one) => EXPORTED.test(one));
    return Object.fromEntries(all.map((one) => one.split(/=(.*)/s, 2)));
  };
  const inShell = async (command: string) => {
    const script = `${command}\nenv -0 > "${state}"`;
    const child = spawn("bash", ["-c", `exec 2>&1\n${script}`], {
      cwd: folder,
      env: { ...env, ...(await exported()) },
    });
    child.stdin.end();
    const printed = (await text(child.stdout)).replaceAll("\r\n", "\n"); // as a file of CSV has it, and a page does not
    scan.notePrinted(printed);
    return printed;
  };
  return {
    folder,
    async run(command) {
      const line = command.replaceAll("\\\n", " ");
      if (!line.startsWith("npx usageflow ") || SHELL.test(line) || line.includes("emulator exec"))
        return inShell(command);
      const { stdout, stderr } = await run(wordsOf(line).slice(2), { env: { ...env, ...(await exported()) } });
      return stdout + stderr;
    },
    async start(command) {
      const own = { cwd: folder, env: { ...env, ...(await exported()) }, detached: true };
      const child = spawn("bash", ["-c", `exec 2>&1\n${command}`], own);
      children.add(child);
      let printed = "";
      child.stdout.on("data", (chunk) => {
        printed += chunk;
      });
      child.stdout.once("end", () => scan.notePrinted(printed));
      return {
        printed: () => printed,
        async stop() {
          kill(child, "SIGINT");
          await ended(child);
        },
      };
    },
  };
}

/** Sends a signal to a command and to what it started. */
function kill({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid && exitCode === null && signalCode === null) process.kill(-pid, signal);
}

/** The words of a line, of which some may stand in quotes. */
function wordsOf(line: string): string[] {
  const words = line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
