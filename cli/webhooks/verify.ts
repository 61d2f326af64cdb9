import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify as verifyWith } from "node:crypto";
import type { WebhookEvent } from "./event.ts";

// Standard Webhooks 1.0.0, the receiver's half: `usageflow/webhooks` of the package. Strict: what it does not understand
// wholly, it refuses. Apart from the rest of the house, so that a receiver loads nothing else.

/** A message as it came. The body is what was received, byte for byte: parsed and written again, it is another one. */
export interface SignedMessage {
  /** The `webhook-id` header. */
  id: string | undefined;
  /** The `webhook-timestamp` header. */
  timestamp: string | undefined;
  /** The `webhook-signature` header. */
  signature: string | undefined;
  /** The body. */
  body: Uint8Array;
}

/** The check that a message does not pass. */
export type Problem =
  | "secret_malformed"
  | "id_missing"
  | "id_malformed"
  | "timestamp_missing"
  | "timestamp_malformed"
  | "timestamp_too_old"
  | "timestamp_too_new"
  | "signature_missing"
  | "signature_malformed"
  | "signature_not_canonical"
  | "signature_of_other_kind"
  | "signature_mismatch";

/** What came of verifying a message. `message` is for people, and for logs: the sender need not know it. */
export type Verdict = { verified: true } | { verified: false; problem: Problem; message: string };

/** When a message is verified, and how old it may be. */
export interface VerifyOptions {
  /** Unix seconds. Default: now. */
  atSeconds?: number;
  /** How far the timestamp may be from that, on either side. Default: 300. */
  toleranceSeconds?: number;
}

/** A secret that messages are verified with. */
export interface VerifyingKey {
  kind: "v1" | "v1a";
  matches(signed: Uint8Array, signature: Uint8Array): boolean;
}

/** A request as most servers have it: their headers, and the body as it came. */
export interface IncomingWebhook {
  headers: { get(name: string): string | null } | Record<string, string | readonly string[] | undefined>;
  /** Byte for byte, or as text. What was parsed and written again is another body. */
  body: Uint8Array | string;
}

/** A request that is no webhook of yours. `problem` says which check it does not pass. */
export class WebhookRefusedError extends Error {
  override readonly name = "WebhookRefusedError";
  readonly problem: Problem;

  constructor(problem: Problem, message: string) {
    super(message);
    this.problem = problem;
  }
}

const TOLERANCE_SECONDS = 300;
const SIGNATURE_BYTES = { v1: 32, v1a: 64 } as const;
const PUBLIC_KEY_BYTES = 32;

/**
 * Verifies a message with a secret (`whsec_...`) or a public key (`whpk_...`), or several of them: one that matches is
 * enough, as it must be while a secret is changed.
 */
export function verify(
  message: SignedMessage,
  secrets: string | readonly string[],
  options: VerifyOptions = {},
): Verdict {
  const keys = [secrets].flat().map(readSecret);
  const unreadable = keys.find((key) => typeof key === "string");
  if (keys.length === 0 || unreadable !== undefined) {
    return refuse("secret_malformed", unreadable ?? "there is no secret to verify with");
  }
  return verifyWithKeys(message, keys as VerifyingKey[], options);
}

/** The event of a request that verifies, as `verify` does it. Throws a `WebhookRefusedError` for every other. */
export function verifyWebhook(
  { headers, body }: IncomingWebhook,
  secrets: string | readonly string[],
  options: VerifyOptions = {},
): WebhookEvent {
  const header = (name: string) => {
    const value = typeof headers.get === "function" ? headers.get(name) : (headers as Record<string, unknown>)[name];
    return typeof value === "string" ? value : undefined;
  };
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const id = header("webhook-id");
  const message = { id, timestamp: header("webhook-timestamp"), signature: header("webhook-signature"), body: bytes };
  const verdict = verify(message, secrets, options);
  if (!verdict.verified) throw new WebhookRefusedError(verdict.problem, verdict.message);
  return readEvent(id as string, bytes);
}

/** The event of a message that was verified. */
export function readEvent(id: string, body: Uint8Array): WebhookEvent {
  return { ...JSON.parse(Buffer.from(body).toString()), id };
}

/** The key that a secret stands for, or why it stands for none. */
export function readSecret(secret: string): VerifyingKey | string {
  if (secret.startsWith("whsk_")) return "whsk_ is the private key, which signs: verify with the public one, whpk_";
  const [, prefix, text = ""] = /^(whsec_|whpk_)(.*)$/s.exec(secret) ?? [];
  if (prefix === undefined) return "the secret begins with neither whsec_ nor whpk_";
  const bytes = canonicalBase64(text);
  if (!bytes) return `what follows ${prefix} is not canonical base64`;
  if (prefix === "whsec_") return bytes.length > 0 ? secretKey(bytes) : "nothing follows whsec_";
  return bytes.length === PUBLIC_KEY_BYTES ? publicKey(bytes) : `what follows whpk_ is not ${PUBLIC_KEY_BYTES} bytes`;
}

/** The same with keys that were read before. */
export function verifyWithKeys(
  { id, timestamp, signature, body }: SignedMessage,
  keys: readonly VerifyingKey[],
  { atSeconds = Math.floor(Date.now() / 1000), toleranceSeconds = TOLERANCE_SECONDS }: VerifyOptions = {},
): Verdict {
  if (!id) return refuse("id_missing", "there is no webhook-id");
  if (id.includes(".")) return refuse("id_malformed", "webhook-id has a full stop, which parts what is signed");
  if (!timestamp) return refuse("timestamp_missing", "there is no webhook-timestamp");
  if (!/^(0|[1-9][0-9]{0,14})$/.test(timestamp)) {
    return refuse("timestamp_malformed", "webhook-timestamp is not a whole number of seconds");
  }
  if (!signature) return refuse("signature_missing", "there is no webhook-signature");
  const age = atSeconds - Number(timestamp);
  if (age > toleranceSeconds) {
    return refuse("timestamp_too_old", `webhook-timestamp is ${age} s old; at most ${toleranceSeconds} s are allowed`);
  }
  if (-age > toleranceSeconds) {
    return refuse(
      "timestamp_too_new",
      `webhook-timestamp is ${-age} s ahead; at most ${toleranceSeconds} s are allowed`,
    );
  }
  return verifySignature(Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]), signature, keys);
}

/** One signature that matches is enough. If none does, the verdict names the nearest miss. */
function verifySignature(signed: Uint8Array, header: string, keys: readonly VerifyingKey[]): Verdict {
  const kinds = [...new Set(keys.map((key) => key.kind))];
  const misses = new Map<Problem, string>();
  for (const entry of header.split(" ")) {
    const [, version, text = ""] = /^([A-Za-z0-9]+),([^,]+)$/.exec(entry) ?? [];
    const kind = kinds.find((one) => one === version);
    if (version === undefined) {
      misses.set(
        "signature_malformed",
        "webhook-signature is not version,base64, or several of these with a space between",
      );
    } else if (!kind) {
      misses.set("signature_of_other_kind", `there is no ${kinds.join(" or ")} signature, which the secret is for`);
    } else {
      const signature = canonicalBase64(text);
      const ofKind = keys.filter((key) => key.kind === kind);
      if (!signature) misses.set("signature_not_canonical", `the ${kind} signature is not canonical base64`);
      else if (signature.length !== SIGNATURE_BYTES[kind]) {
        misses.set("signature_malformed", `the ${kind} signature is not ${SIGNATURE_BYTES[kind]} bytes`);
      } else if (ofKind.some((key) => key.matches(signed, signature))) return { verified: true };
      else misses.set("signature_mismatch", `the ${kind} signature is of another secret or of another message`);
    }
  }
  const nearest = nearness.find((problem) => misses.has(problem)) as Problem;
  return refuse(nearest, misses.get(nearest) as string);
}

const nearness: Problem[] = [
  "signature_not_canonical",
  "signature_malformed",
  "signature_mismatch",
  "signature_of_other_kind",
];

function secretKey(bytes: Uint8Array): VerifyingKey {
  const matches = (signed: Uint8Array, signature: Uint8Array) =>
    timingSafeEqual(createHmac("sha256", bytes).update(signed).digest(), signature);
  return { kind: "v1", matches };
}

function publicKey(bytes: Buffer): VerifyingKey {
  const jwk = { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
  const key: KeyObject = createPublicKey({ key: jwk, format: "jwk" });
  return { kind: "v1a", matches: (signed, signature) => verifyWith(null, signed, key, signature) };
}

/** The bytes of base64 with its padding and without bits that stand for nothing: of each value there is one spelling. */
function canonicalBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

function refuse(problem: Problem, message: string): Verdict {
  return { verified: false, problem, message };
}
