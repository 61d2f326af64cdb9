import { stripVTControlCharacters } from "node:util";
import type { ConnectError } from "@connectrpc/connect";
import { CliError } from "./cli-error.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { type Failure, NONE } from "./failure.ts";
import { redacted } from "./redacted.ts";
import { type CommandLine, usageFailure } from "./usage-failure.ts";
import { wantsJson } from "./wants-json.ts";

/** Tells an error, on stderr and in the exit code. */
export async function report(error: unknown, line: CommandLine): Promise<void> {
  const facts = await failureOf(error, line);
  const failure: Failure = { ...facts, message: redacted(facts.message), hint: redacted(facts.hint) };
  process.exitCode = exitCodeOf(failure.code);
  if (failure.code === "terminated" && failure.hint === "") return; // whoever ended it knows
  if (wantsJson(line.argv)) {
    process.stderr.write(`${JSON.stringify({ error: failure })}\n`);
    return;
  }
  const kind = KINDS[failure.code] ?? "Error";
  process.stderr.write(`${kind}: ${failure.message}\n${failure.hint && `${failure.hint}\n`}`);
  if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${redacted(error.stack ?? "")}\n`);
}

const KINDS: Record<string, string> = { interrupted: "Interrupted", terminated: "Ended" };

/** The facts of an error, wherever it came from. */
export async function failureOf(error: unknown, line: CommandLine = { argv: [], known: [] }): Promise<Failure> {
  if (!(error instanceof Error)) return { ...NONE, message: String(error) };
  const message = tidied(error);
  if (error instanceof CliError) return { ...NONE, ...error.facts, code: error.code, message };
  // By name, and what reads it loaded now: a wrong flag is told without waiting for code that calls servers.
  if (error.name === "ConnectError")
    return (await import("./call-failure.ts")).failureOfCommand(error as ConnectError, line);
  if ("oclif" in error) return { ...NONE, code: "usage", ...usageFailure(message, line) };
  if (error.name === "ConfigError") return { ...NONE, code: "usage", message };
  return { ...NONE, message, hint: process.env.DEBUG ? "" : "With DEBUG=1 it says where it happened." };
}

/** A message without what oclif writes around it; of several attempts that failed, all. */
function tidied(error: Error): string {
  const message =
    error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join("; ") : error.message;
  return stripVTControlCharacters(message)
    .replace("\nSee more help with --help", "")
    .replace(/^The following errors? occurred:\n\s*/, "")
    .replace(/^Parsing (--\S+) \n\t/, "$1: ");
}
