import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign as signWith,
} from "node:crypto";

// Standard Webhooks 1.0.0. `v1` is HMAC-SHA256 with a secret, shown as `whsec_` and its bytes in base64. `v1a` is ed25519:
// the private key is shown as `whsk_` and seed and public key in base64, the public one as `whpk_`.

const SECRET = "whsec_";
const PRIVATE = "whsk_";
const PUBLIC = "whpk_";
const BYTES_MIN = 24;
const BYTES_MAX = 64;
/** Of the seed of an ed25519 key, and of its public half. */
const ED25519_BYTES = 32;
/** What PKCS #8 puts before the seed (RFC 8410, section 10.3). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** The secret as people see it. */
export function formatSecret(key: Uint8Array): string {
  return SECRET + Buffer.from(key).toString("base64");
}

/** The bytes of a secret that people sent, or undefined when it is none: wrong length, or base64 that is not canonical. */
export function parseSecret(secret: string): Buffer | undefined {
  const key = Buffer.from(secret.slice(SECRET.length), "base64");
  const fits = key.length >= BYTES_MIN && key.length <= BYTES_MAX;
  return fits && formatSecret(key) === secret ? key : undefined;
}

/** The public key of a seed, as people see it and receivers verify with. */
export function formatPublicKey(key: Uint8Array): string {
  return PUBLIC + Buffer.from(key).toString("base64");
}

/** The seed of a private key that people sent, or undefined when it is none: its public half must be that of the seed. */
export function parsePrivateKey(secret: string): Buffer | undefined {
  const seed = Buffer.from(secret.slice(PRIVATE.length), "base64").subarray(0, ED25519_BYTES);
  if (seed.length !== ED25519_BYTES) return undefined;
  const whole = PRIVATE + Buffer.concat([seed, publicKeyOf(seed)]).toString("base64");
  return whole === secret ? seed : undefined;
}

/** The 32 bytes of the public key of a seed. */
export function publicKeyOf(seed: Uint8Array): Buffer {
  const { x } = createPublicKey(privateKey(seed)).export({ format: "jwk" });
  return Buffer.from(x as string, "base64url");
}

/** What messages are signed with: the bytes of a `v1` secret, or the seed of a `v1a` key. */
export function signingKey(kind: "V1" | "V1A", bytes: Uint8Array): KeyObject {
  return kind === "V1A" ? privateKey(bytes) : createSecretKey(bytes);
}

/** One signature of a message, of its key's kind. The id must not contain a full stop. */
export function sign(key: KeyObject, id: string, timestampSeconds: number, body: string | Buffer): string {
  const head = `${id}.${timestampSeconds}.`;
  if (key.type === "secret") return `v1,${createHmac("sha256", key).update(head).update(body).digest("base64")}`;
  return `v1a,${signWith(null, Buffer.concat([Buffer.from(head), Buffer.from(body)]), key).toString("base64")}`;
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
}
