import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { parseId, toBase62 } from "../id.ts";

// What a caller comes with is `uf_live_` or `uf_test_` (an API key), `uf_pat_` (a member's access token) or `uf_inv_` (the code of
// an invite), then base62: the id of the tenant or the organization (22 digits), 256 random bits (43) and the CRC-32 of all
// before it (6). So a mistyped one is refused without a query, and a good one says where to look it up.

const PLACE_DIGITS = 22;
const SECRET_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const SHOWN_AT_START = 12;
const SHOWN_AT_END = 4;

export type TenantKindName = "LIVE" | "TEST";

/** What a secret opens: a tenant of a kind, an organization, or the way into one. */
export type SecretKind = TenantKindName | "TOKEN" | "INVITE";

const TAGS: Record<SecretKind, string> = { LIVE: "live", TEST: "test", TOKEN: "pat", INVITE: "inv" };
const KINDS = Object.fromEntries(Object.entries(TAGS).map(([kind, tag]) => [tag, kind as SecretKind]));

/** Makes the secret itself, which is shown once. `place` is the tenant or the organization that it is of. */
export function makeSecret(kind: SecretKind, place: string): string {
  const id = toBase62(Buffer.from(place.replaceAll("-", ""), "hex"), PLACE_DIGITS);
  const body = `uf_${TAGS[kind]}_${id}${toBase62(randomBytes(32), SECRET_DIGITS)}`;
  return body + checksum(body);
}

/** What a secret says of itself, or undefined when its form or checksum is wrong. */
export function readSecret(secret: string): { kind: SecretKind; place: string } | undefined {
  const match = /^uf_(live|test|pat|inv)_([0-9A-Za-z]{71})$/.exec(secret);
  if (!match) return undefined;
  const body = secret.slice(0, -CHECKSUM_DIGITS);
  if (checksum(body) !== secret.slice(-CHECKSUM_DIGITS)) return undefined;
  const place = parseId("ten", `ten_${(match[2] as string).slice(0, PLACE_DIGITS)}`);
  return place ? { kind: KINDS[match[1] as string] as SecretKind, place } : undefined;
}

/**
 * What is shown of a secret, to recognise it by. The start says what kind it is, the end which one: the id between them is the
 * same for all of its tenant or organization.
 */
export function shownPart(secret: string): string {
  return `${secret.slice(0, SHOWN_AT_START)}...${secret.slice(-SHOWN_AT_END)}`;
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return toBase62(bytes, CHECKSUM_DIGITS);
}
