import { createHmac, type KeyObject } from "node:crypto";

// Standard Webhooks 1.0.0, symmetric signatures. A secret is shown as `whsec_` and its bytes in base64.

const PREFIX = "whsec_";
const BYTES_MIN = 24;
const BYTES_MAX = 64;

/** The secret as people see it. */
export function formatSecret(key: Buffer): string {
  return PREFIX + key.toString("base64");
}

/** The bytes of a secret that people sent, or undefined when it is none: wrong length, or base64 that is not canonical. */
export function parseSecret(secret: string): Buffer | undefined {
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const fits = key.length >= BYTES_MIN && key.length <= BYTES_MAX;
  return fits && formatSecret(key) === secret ? key : undefined;
}

/** The `webhook-signature` of a message. The id must not contain a full stop. */
export function sign(key: KeyObject, id: string, timestampSeconds: number, body: string): string {
  return `v1,${createHmac("sha256", key).update(`${id}.${timestampSeconds}.${body}`).digest("base64")}`;
}
