import { invalid } from "../rpc/errors.ts";
import type { Secrets } from "../secrets.ts";

/** Headers that are ours, or of the connection (RFC 9110, section 7.6.1): in small letters. */
const OURS =
  /^(host|content-.*|webhook-.*|user-agent|accept-encoding|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect)$/;

/**
 * The columns of headers that a caller gave in a field. Refuses one that is ours, and one that is there twice in letters of
 * different size.
 */
export function headerColumns(
  secrets: Secrets,
  { tenantId, id }: { tenantId: string; id: string },
  field: string,
  given: Record<string, string>,
) {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    if (OURS.test(lower)) throw invalid(`${field}["${name}"]`, `the header ${lower} is not yours to set`);
    if (Object.hasOwn(headers, lower)) throw invalid(`${field}["${name}"]`, `the header ${lower} is given twice`);
    headers[lower] = value;
  }
  const names = Object.keys(headers).sort();
  return {
    header_names: names,
    headers_sealed:
      names.length > 0 ? secrets.seal(Buffer.from(JSON.stringify(headers)), headersPlace(tenantId, id)) : null,
  };
}

/** The headers that were sealed. */
export function openHeaders(secrets: Secrets, tenantId: string, id: string, sealed: Buffer): Record<string, string> {
  return JSON.parse(secrets.open(sealed, headersPlace(tenantId, id)).toString());
}

/** What headers are bound to when they are sealed. */
export function headersPlace(tenantId: string, id: string): string {
  return `${tenantId}|endpoint_headers|${id}`;
}
