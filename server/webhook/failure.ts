import { errors } from "undici";
import type { Stage } from "./guarded-connector.ts";
import { RefusedAddressError } from "./resolve-target.ts";

/** What kind of failure an attempt was: the contract's AttemptErrorKind by name. */
export type ErrorKind =
  | "DNS"
  | "REFUSED_ADDRESS"
  | "CONNECT"
  | "TLS"
  | "TIMEOUT"
  | "RESET"
  | "TOO_LARGE"
  | "STATUS"
  | "REDIRECT"
  | "PROTOCOL";

/** Why an attempt failed. */
export interface Failure {
  kind: ErrorKind;
  /** For people. */
  words: string;
}

// Codes of Node, OpenSSL and undici. Their messages are not shown: some quote what the receiver says.
const LOOKUP = /^(ENOTFOUND|ENODATA|ESERVFAIL|EREFUSED|EAI_)/;
const TIMEOUT = /^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;
const TLS =
  /^(CERT|CRL|DEPTH_ZERO|EPROTO|ERR_SSL|ERR_TLS|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|SELF_SIGNED|UNABLE_TO)/;

/** Whether a status is a failure, and of which kind. */
export function failureOfStatus(status: number): Failure | undefined {
  if (status >= 200 && status < 300) return undefined;
  const redirect = [301, 302, 303, 307, 308].includes(status);
  return redirect
    ? { kind: "REDIRECT", words: `the receiver answered ${status}, and redirects are not followed` }
    : { kind: "STATUS", words: `the receiver answered ${status}` };
}

/** Why an exchange broke off: look-up, address, connection, TLS or HTTP. What is none of these is thrown again. */
export function failureOfError(error: unknown, stage: Stage): Failure {
  if (error instanceof RefusedAddressError) return { kind: "REFUSED_ADDRESS", words: error.message };
  if (error instanceof errors.HTTPParserError) return { kind: "PROTOCOL", words: "the answer is not valid HTTP" };
  if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
  const { code } = error;
  if (LOOKUP.test(code)) return { kind: "DNS", words: `the name does not resolve (${code})` };
  if (TLS.test(code)) return { kind: "TLS", words: `TLS failed (${code})` };
  if (code === "UND_ERR_HEADERS_OVERFLOW") {
    return { kind: "TOO_LARGE", words: "the headers of the answer are larger than 16 KiB" };
  }
  if (code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH")
    return { kind: "PROTOCOL", words: "the answer is not valid HTTP" };
  if (stage === "connected") return { kind: "RESET", words: `the connection broke (${code})` };
  if (stage === "securing") return { kind: "TLS", words: `TLS failed (${code})` };
  if (stage === "resolving") return { kind: "DNS", words: `the name did not resolve in time (${code})` };
  if (code === "ECONNREFUSED") return { kind: "CONNECT", words: "the connection was refused" };
  if (TIMEOUT.test(code)) return { kind: "CONNECT", words: `the connection timed out (${code})` };
  return { kind: "CONNECT", words: `there was no connection (${code})` };
}
