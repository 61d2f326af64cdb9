import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { onDeadline } from "../clock.ts";

// What node:http cannot read as a request comes to no handler. Its own answers are bare; these have the form of ours.

const LINGER_MS = 1_000;

interface Broken {
  /** Why, for the metrics. */
  why: "unreadable" | "too_large" | "too_slow";
  status: number;
  code: string;
  reason: string;
  message: string;
}

const TOLD: Record<string, Broken> = {
  HPE_HEADER_OVERFLOW: {
    why: "too_large",
    ...{ status: 431, code: "resource_exhausted", reason: "TOO_LARGE" },
    message: "the headers are larger than the server takes",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    why: "too_slow",
    ...{ status: 408, code: "deadline_exceeded", reason: "OVERLOADED" },
    message: "the request did not come in time",
  },
};
const OTHER: Broken = {
  why: "unreadable",
  ...{ status: 400, code: "invalid_argument", reason: "MALFORMED_BODY", message: "this is no HTTP request" },
};

type CodedError = Error & { code?: string };

/**
 * Answers what is no request, and closes the connection: what comes after it cannot be told from it. Says why; undefined: there
 * was nobody to answer.
 */
export function answerBrokenRequest(
  error: CodedError,
  socket: Duplex,
  headers: Record<string, string>,
): Broken["why"] | undefined {
  // Where an answer is on its way already, another one would be taken for a part of it.
  const { _httpMessage: answer } = socket as Duplex & { _httpMessage?: { headersSent: boolean } | null };
  if (!socket.writable || answer?.headersSent) {
    socket.destroy();
    return undefined;
  }
  const { why, status, code, reason, message } = TOLD[error.code ?? ""] ?? OTHER;
  const body = JSON.stringify({ error: { code, reason, message, field: "", requestId: "" } });
  const all = { ...headers, connection: "close", "content-type": "application/json", "content-length": body.length };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  // What still comes is thrown away for a moment: a connection that is cut takes the answer with it.
  const cut = onDeadline(LINGER_MS, () => socket.destroy());
  socket.once("close", cut).resume();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join("")}\r\n${body}`);
  return why;
}
