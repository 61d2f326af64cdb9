import { Code, type ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, ErrorDetailSchema, ErrorReason, ErrorReasonSchema } from "../gen/usageflow/v1/error_pb.ts";
import { type Failure, NONE } from "./failure.ts";
import { codeName, retryInfoMs } from "./library/call-error.ts";
import { fieldWords } from "./output/rule-words.ts";
import { printable } from "./output/text.ts";
import { staleVariablesHint } from "./stale-variables.ts";
import { type CommandLine, givenFor, takenBy } from "./usage-failure.ts";

const HINTS: Record<string, string> = {
  unauthenticated: "Give a key with --api-key or USAGEFLOW_API_KEY, or log in: usageflow login",
  permission_denied: "Use a key whose role may do this.",
  unavailable: "Is the server running? Start one with: usageflow emulator start",
  deadline_exceeded: "The server took too long. Try again.",
};

/** Of refusals that are not for what the others of their code are. */
const REASON_HINTS: Partial<Record<ErrorReason, string>> = {
  [ErrorReason.KEY_ADDRESS_REFUSED]:
    "The key is bound to addresses: keys list shows which. Call from there, or use another.",
  [ErrorReason.LIVE_KEY_REFUSED]: "Use the emulator's own key: without --api-key and USAGEFLOW_API_KEY it is found.",
};

/** A login takes no key of the shell's, so it is not told of those. */
const LOGIN_HINT = "Is it the whole key or token, and is it one of this server's?";

const GIVEN_MAX = 40;

/** Flags of commands that call with something else than an API key or an access token. */
const OWN_KEYS: Record<string, { noun: string; hint: string }> = {
  "--code": {
    noun: "code of an invite",
    hint: "Is it the whole code? It works once; who may invite you makes a new one with: usageflow members invite",
  },
  "--operator-key": {
    noun: "operator's key",
    hint: "Give with --operator-key what the server has in USAGEFLOW_OPERATOR_KEY.",
  },
};

/**
 * The facts of a call that failed: what the server said, or what became of the connection. Fields are told as the
 * arguments and flags that the command takes.
 */
export function failureOfCall(error: ConnectError, taken: readonly string[] = []): Failure {
  const [detail] = error.findDetails(ErrorDetailSchema);
  if (!detail && error.code !== Code.DeadlineExceeded) return failureOfTransport(error);
  const code = codeName(error.code);
  const ownKey = code === "unauthenticated" ? OWN_KEYS[taken.find((name) => name in OWN_KEYS) ?? ""] : undefined;
  const said = ownKey ? error.rawMessage.replace("API key", ownKey.noun) : error.rawMessage;
  const reason = detail ? (ErrorReasonSchema.value[detail.reason]?.name ?? "") : "";
  return {
    code,
    reason: reason.replace("ERROR_REASON_", ""),
    message: printable(fieldWords(said, detail?.field ?? "", taken)),
    field: detail?.field ?? "",
    requestId: detail?.requestId ?? "",
    hint: hintOf(error) ?? ownKey?.hint ?? hintOfDetail(error.rawMessage, detail) ?? HINTS[code] ?? "",
  };
}

/** The same for a command line, which may have been called with variables of the shell's that are out of date. */
export async function failureOfCommand(error: ConnectError, line: CommandLine): Promise<Failure> {
  const taken = takenBy(line);
  const found = failureOfCall(error, taken);
  const failure = { ...found, message: found.message + wrongId(found.message, line) };
  if (failure.hint !== HINTS[failure.code]) return failure;
  if (line.argv[0] === "login" && failure.code === "unauthenticated") return { ...failure, hint: LOGIN_HINT };
  return { ...failure, hint: (await staleVariablesHint(failure.code, line.argv)) ?? failure.hint };
}

/** What was given in the place of an id. Of nothing else: that may be a secret. */
function wrongId(message: string, line: CommandLine): string {
  const [, name] = /^([A-Z-]+|--[a-z-]+): must be an id such as \S+$/.exec(message) ?? [];
  const given = name && givenFor(name, line);
  return given ? `, and is ${JSON.stringify(printable(given.slice(0, GIVEN_MAX)))}` : "";
}

function hintOfDetail(message: string, detail: ErrorDetail | undefined): string | undefined {
  if (!detail) return undefined;
  const { reason, field } = detail;
  if (reason === ErrorReason.ALREADY_EXISTS && field === "another") return "To make a second one: --another";
  // A server of others cannot reach the machine of who tries webhooks out.
  if (reason === ErrorReason.ADDRESS_REFUSED && / public address$/.test(message)) {
    return "To have webhooks on this machine, listen for them: usageflow listen --forward-to URL";
  }
  return REASON_HINTS[reason];
}

/** When to try again, where the server says so. */
function hintOf(error: ConnectError): string | undefined {
  const ms = retryInfoMs(error);
  if (ms === undefined || error.code !== Code.ResourceExhausted) return undefined;
  return `Try again in ${ms < 1_000 ? "a second" : `${Math.ceil(ms / 1_000)} s`}.`;
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
