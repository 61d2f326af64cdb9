import { createInterface } from "node:readline/promises";
import { Flags } from "@oclif/core";
import { CliError } from "./cli-error.ts";

/** The flag of every command that asks before it does what nobody can undo. */
export const yesFlag = Flags.boolean({ char: "y", description: "Do it without asking." });

/** Asks whether to go on, on stderr. Where nobody can answer, --yes has to say so. */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError("usage", "this cannot be undone, and nobody is here to ask; --yes does it without asking");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("interrupted", "nothing was done");
  } finally {
    terminal.close();
  }
}
