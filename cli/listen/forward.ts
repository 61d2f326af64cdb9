import { errors, request } from "undici";
import { AttemptErrorKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { ListenDelivery } from "../../gen/usageflow/v1/webhook_service_pb.ts";

/** What a local server made of a delivery. */
export interface LocalAnswer {
  /** 0: there was none. */
  status: number;
  /** Not given: the status tells. */
  errorKind: AttemptErrorKind;
  durationMs: number;
  headers: Record<string, string>;
  /** The start of the body. */
  body: string;
}

/** How long a local server may take. */
export const FORWARD_TIMEOUT_MS = 30_000;
const BODY_BYTES_READ = 64 * 1024;
// As the contract has them.
const BODY_CHARACTERS = 2_048;
const HEADER_CHARACTERS = 2_048;
const HEADERS_MAX = 100;

/** POSTs a delivery as the server made it, byte by byte. Whatever comes of it is an answer. */
export async function forward(url: string, { headers, body }: ListenDelivery): Promise<LocalAnswer> {
  const started = performance.now();
  const deadline = AbortSignal.timeout(FORWARD_TIMEOUT_MS);
  const answer = { status: 0, headers: {}, body: "" };
  let errorKind: AttemptErrorKind = AttemptErrorKind.UNSPECIFIED;
  try {
    const response = await request(url, { method: "POST", headers, body, signal: deadline });
    answer.status = response.statusCode;
    answer.headers = bounded(response.headers);
    answer.body = await startOf(response.body);
  } catch (error) {
    errorKind = deadline.aborted ? AttemptErrorKind.TIMEOUT : kindOf(error, answer.status > 0);
  }
  return { ...answer, errorKind, durationMs: performance.now() - started };
}

/** Whether the local server took it. */
export function isTaken({ status, errorKind }: LocalAnswer): boolean {
  return errorKind === AttemptErrorKind.UNSPECIFIED && status >= 200 && status < 300;
}

async function startOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let read = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    read += chunk.length;
    if (read >= BODY_BYTES_READ) break;
  }
  return new TextDecoder().decode(Buffer.concat(chunks)).replaceAll("\0", "").slice(0, BODY_CHARACTERS);
}

function bounded(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).slice(0, HEADERS_MAX);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      [value ?? ""]
        .flat()
        .join(", ")
        .replace(/[\u0000-\u001f\u007f]/g, " ")
        .slice(0, HEADER_CHARACTERS),
    ]),
  );
}

// Codes of Node and OpenSSL.
const LOOKUP = /^(ENOTFOUND|ENODATA|EAI_)/;
const TLS = /^(CERT|DEPTH_ZERO|EPROTO|ERR_SSL|ERR_TLS|SELF_SIGNED|UNABLE_TO)/;
const NO_CONNECTION = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

function kindOf(error: unknown, answered: boolean): AttemptErrorKind {
  if (error instanceof errors.HTTPParserError) return AttemptErrorKind.PROTOCOL;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (LOOKUP.test(code)) return AttemptErrorKind.DNS;
  if (TLS.test(code)) return AttemptErrorKind.TLS;
  if (code === "UND_ERR_HEADERS_OVERFLOW") return AttemptErrorKind.TOO_LARGE;
  return !answered && NO_CONNECTION.test(code) ? AttemptErrorKind.CONNECT : AttemptErrorKind.RESET;
}
