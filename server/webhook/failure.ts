import { errors } from "undici";
import { RefusedAddressError } from "./resolve-target.ts";

// Codes of Node, OpenSSL and undici. Their messages are not shown: some quote what the receiver says.
const LOOKUP = /^(ENOTFOUND|ENODATA|EAI_)/;
const TIMEOUT = /^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;
const TLS =
  /^(CERT|CRL|DEPTH_ZERO|EPROTO|ERR_SSL|ERR_TLS|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|SELF_SIGNED|UNABLE_TO)/;

/** Why an exchange failed, in words: look-up, connection, TLS or HTTP. What is none of these is thrown again. */
export function failureInWords(failure: unknown): string {
  if (failure instanceof RefusedAddressError) return failure.message;
  if (failure instanceof errors.HTTPParserError) return "the answer is not valid HTTP";
  if (!(failure instanceof Error && "code" in failure && typeof failure.code === "string")) throw failure;
  const { code } = failure;
  if (LOOKUP.test(code)) return `the name does not resolve (${code})`;
  if (TIMEOUT.test(code)) return `the connection timed out (${code})`;
  if (TLS.test(code)) return `TLS failed (${code})`;
  if (code === "ECONNREFUSED") return "the connection was refused";
  if (code === "UND_ERR_HEADERS_OVERFLOW") return "the headers of the answer are larger than 16 KiB";
  return `the connection broke (${code})`;
}
