import { stripVTControlCharacters } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReasonSchema } from "../gen/usageflow/v1/error_pb.ts";
import { CliError } from "./cli-error.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { fieldWords } from "./output/rule-words.ts";
import { printable } from "./output/text.ts";
import { redacted } from "./redacted.ts";
import { type CommandLine, usageFailure } from "./usage-failure.ts";
import { wantsJson } from "./wants-json.ts";

/** What is told of an error: the `error` object under `--json`. A field that does not apply is empty. */
export interface Failure {
  /** A code of gRPC in words (`not_found`), or `usage`, `failed`, `interrupted`. Decides the exit code. */
  code: string;
  /** Reason of the contract, such as `UNKNOWN_METRIC`. */
  reason: string;
  message: string;
  /** Path of the field at fault in the request. */
  field: string;
  /** Names the call in the server's log. */
  requestId: string;
  /** What to do next. */
  hint: string;
}

const HINTS: Record<string, string> = {
  unauthenticated: "Give a key with --api-key or USAGEFLOW_API_KEY, or log in: usageflow login",
  permission_denied: "Use a key whose role may do this.",
  unavailable: "Is the server running? Start one with: usageflow emulator start",
  deadline_exceeded: "The server took too long. Try again.",
};

/** Tells an error, on stderr and in the exit code. */
export function report(error: unknown, line: CommandLine): void {
  const { message, hint, ...rest } = failureOf(error, line);
  const failure: Failure = { ...rest, message: redacted(message), hint: redacted(hint) };
  process.exitCode = exitCodeOf(failure.code);
  if (wantsJson(line.argv)) {
    process.stderr.write(`${JSON.stringify({ error: failure })}\n`);
    return;
  }
  const kind = failure.code === "interrupted" ? "Interrupted" : "Error";
  process.stderr.write(`${kind}: ${failure.message}\n${failure.hint && `${failure.hint}\n`}`);
  if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${redacted(error.stack ?? "")}\n`);
}

/** The facts of an error, wherever it came from. */
export function failureOf(error: unknown, line: CommandLine = { argv: [], known: [] }): Failure {
  if (!(error instanceof Error)) return { ...NONE, message: String(error) };
  const message = tidied(error);
  if (error instanceof CliError) return { ...NONE, ...error.facts, code: error.code, message };
  if (error instanceof ConnectError) return failureOfCall(error);
  if ("oclif" in error) return { ...NONE, code: "usage", ...usageFailure(message, line) };
  if (error.name === "ConfigError") return { ...NONE, code: "usage", message };
  if ("code" in error && UNREACHABLE.test(String(error.code))) return { ...NONE, code: "unavailable", message };
  return { ...NONE, message, hint: process.env.DEBUG ? "" : "With DEBUG=1 it says where it happened." };
}

const NONE: Failure = { code: "failed", reason: "", message: "", field: "", requestId: "", hint: "" };
const UNREACHABLE = /^(ECONN[A-Z]+|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN)$/;

/** A message without what oclif writes around it; of several attempts that failed, all. */
function tidied(error: Error): string {
  const message =
    error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join("; ") : error.message;
  return stripVTControlCharacters(message)
    .replace("\nSee more help with --help", "")
    .replace(/^The following errors? occurred:\n\s*/, "")
    .replace(/^Parsing (--\S+) \n\t/, "$1: ");
}

function failureOfCall(error: ConnectError): Failure {
  const [detail] = error.findDetails(ErrorDetailSchema);
  if (!detail && error.code !== Code.DeadlineExceeded) return failureOfTransport(error);
  const code = Code[error.code].replace(/\B[A-Z]/g, "_$&").toLowerCase();
  const reason = detail ? (ErrorReasonSchema.value[detail.reason]?.name ?? "") : "";
  return {
    code,
    reason: reason.replace("ERROR_REASON_", ""),
    message: printable(fieldWords(error.rawMessage, detail?.field ?? "")),
    field: detail?.field ?? "",
    requestId: detail?.requestId ?? "",
    hint: HINTS[code] ?? "",
  };
}

/** An error without a detail is not the server's: the connection broke, or something else answered. */
function failureOfTransport({ code, rawMessage }: ConnectError): Failure {
  if (code === Code.Unavailable || code === Code.Aborted) {
    const message = `the server cannot be reached: ${printable(rawMessage)}`;
    return { ...NONE, code: "unavailable", message, hint: HINTS.unavailable as string };
  }
  const hint = "Is this the URL of a UsageFlow server?";
  return { ...NONE, code: "unavailable", message: `the call broke off: ${printable(rawMessage)}`, hint };
}
