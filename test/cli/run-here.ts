import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { makeScratch } from "../support/scratch.ts";
import type { Run } from "./run-cli.ts";

const root = new URL("../../", import.meta.url).pathname;
type Main = (argv: readonly string[], root: string) => Promise<void>;
// Required, not imported: so the command and what oclif loads for it are the same modules, and those that were built.
const { main } = createRequire(import.meta.url)("../../dist/cli/main.js") as { main: Main };

/** Runs commands in this process, one after the other: a hundred of them cost what four processes do. */
export interface Here {
  folder: string;
  run(args: readonly string[]): Promise<Run>;
}

/** The command as it was built, with these settings and no others. Its input is empty, and none of it a terminal. */
export async function createHere(env: Record<string, string> = {}): Promise<Here> {
  const folder = await makeScratch("usageflow-here-");
  const before = { ...process.env };
  for (const name of Object.keys(process.env))
    if (/^(USAGEFLOW_|XDG_|DATABASE_URL)/.test(name)) delete process.env[name];
  Object.assign(process.env, { HOME: folder, USAGEFLOW_STATE_DIR: join(folder, "state"), ...env });
  process.stderr.setMaxListeners(0); // each run adds one, for a closed pipe
  onTestFinished(async () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before); // in place: what the system knows of it is what is changed
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    async run(args) {
      const told = { stdout: "", stderr: "" };
      const real = { stdout: process.stdout.write, stderr: process.stderr.write };
      const into = (name: "stdout" | "stderr"): typeof process.stdout.write =>
        ((chunk: string | Uint8Array, ...rest: unknown[]) => {
          told[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
          const done = rest.at(-1);
          if (typeof done === "function") done();
          return true;
        }) as typeof process.stdout.write;
      process.stdout.write = into("stdout");
      process.stderr.write = into("stderr");
      process.exitCode = undefined;
      try {
        await main(args, root);
        return { ...told, code: Number(process.exitCode ?? 0) };
      } finally {
        process.stdout.write = real.stdout;
        process.stderr.write = real.stderr;
        process.exitCode = undefined;
      }
    },
  };
}
