import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { onDeadline } from "../clock.ts";

// What node:http cannot read as a request comes to no handler. Its own answers are bare; these have the form of ours.

const LINGER_MS = 1_000;

const TOLD: Record<string, { status: number; code: string; reason: string; message: string }> = {
  HPE_HEADER_OVERFLOW: {
    ...{ status: 431, code: "resource_exhausted", reason: "TOO_LARGE" },
    message: "the headers are larger than the server takes",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    ...{ status: 408, code: "deadline_exceeded", reason: "OVERLOADED" },
    message: "the request did not come in time",
  },
};
const OTHER = { status: 400, code: "invalid_argument", reason: "MALFORMED_BODY", message: "this is no HTTP request" };

type CodedError = Error & { code?: string };

/** Answers what is no request, and closes the connection: what comes after it cannot be told from it. */
export function answerBrokenRequest(error: CodedError, socket: Duplex, headers: Record<string, string>): void {
  // Where an answer is on its way already, another one would be taken for a part of it.
  const { _httpMessage: answer } = socket as Duplex & { _httpMessage?: { headersSent: boolean } | null };
  if (!socket.writable || answer?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, code, reason, message } = TOLD[error.code ?? ""] ?? OTHER;
  const body = JSON.stringify({ error: { code, reason, message, field: "", requestId: "" } });
  const all = { ...headers, connection: "close", "content-type": "application/json", "content-length": body.length };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  // What still comes is thrown away for a moment: a connection that is cut takes the answer with it.
  const cut = onDeadline(LINGER_MS, () => socket.destroy());
  socket.once("close", cut).resume();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join("")}\r\n${body}`);
}
