import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import type { Config } from "./config.ts";

/** What is kept secret at rest: things to be opened again, and API keys, which are only ever compared. */
export interface Secrets {
  /** Encrypts `plain`. `place` (such as `tenant|table|row`) is bound to it: moved elsewhere, it does not open. */
  seal(plain: Uint8Array, place: string): Buffer;
  /** Opens what `seal` made for the same place. Throws when it was changed, moved, or sealed with a key that is not here. */
  open(sealed: Uint8Array, place: string): Buffer;
  /** HMAC-SHA-256 of an API key with the pepper: what is stored and looked up in its stead. */
  hashKey(key: string): Buffer;
  /** The same with every pepper that is known, that of today first. */
  hashesOf(key: string): readonly [KeyHash, ...KeyHash[]];
  /** HMAC-SHA-256 of `data` with a key of the first master key's, and that one's id before it. */
  sign(data: Uint8Array): Buffer;
  /** Whether `sign` made `signature` of `data`. Undefined: with a key that this server does not have. */
  isSigned(data: Uint8Array, signature: Uint8Array): boolean | undefined;
  /** Ids of the master keys; the first one seals and signs. */
  readonly masterKeyIds: readonly Buffer[];
  /** Ids of the peppers; the first one is hashed with. */
  readonly pepperIds: readonly Buffer[];
}

/** The hash of an API key, and of which pepper. */
export interface KeyHash {
  readonly hash: Buffer;
  readonly pepperId: Buffer;
}

/** The keys of a server. */
export type SecretKeys = Pick<Config, "masterKey" | "keyPepper"> &
  Partial<Pick<Config, "otherMasterKeys" | "otherKeyPeppers">>;

const VERSION = 1;
const KEY_ID_AT = 1;
const KEY_ID_BYTES = 4;
const NONCE_AT = KEY_ID_AT + KEY_ID_BYTES;
const NONCE_BYTES = 12;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const TAG_BYTES = 16;
const TEXT_AT = TAG_AT + TAG_BYTES;

/**
 * AES-256-GCM (NIST SP 800-38D). A sealed value is version (1 byte), id of the key (4), nonce (12), tag (16),
 * ciphertext. The key's id says which of several master keys opens it. An id is derived from its key: nobody numbers them.
 */
export function createSecrets({
  masterKey,
  keyPepper,
  otherMasterKeys = [],
  otherKeyPeppers = [],
}: SecretKeys): Secrets {
  const masters = [masterKey, ...otherMasterKeys].map(withSigningKey);
  const peppers = [keyPepper, ...otherKeyPeppers].map(withId);
  const [master] = masters as [Master];
  const [pepper] = peppers as [Known];
  return {
    seal(plain, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", master.key, nonce).setAAD(Buffer.from(place));
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), master.id, nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed);
      const keyId = keyIdOf(bytes);
      const known = masters.find(({ id }) => bytes[0] === VERSION && id.equals(keyId));
      if (!known) throw new Error(`sealed with a key that this server does not have (id ${keyId.toString("hex")})`);
      const decipher = createDecipheriv("aes-256-gcm", known.key, bytes.subarray(NONCE_AT, TAG_AT), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(TAG_AT, TEXT_AT));
      return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT)), decipher.final()]);
    },
    hashKey: (key) => hashOf(pepper, key).hash,
    hashesOf: (key) => [hashOf(pepper, key), ...peppers.slice(1).map((one) => hashOf(one, key))],
    sign: (data) => signatureOf(master, data),
    isSigned(data, signature) {
      const known = masters.find(({ id }) => id.equals(signature.subarray(0, KEY_ID_BYTES)));
      if (!known) return undefined;
      const own = signatureOf(known, data);
      return signature.length === own.length && timingSafeEqual(own, signature);
    },
    masterKeyIds: masters.map(({ id }) => id),
    pepperIds: peppers.map(({ id }) => id),
  };
}

/** The id of the key that a value was sealed with. */
export function keyIdOf(sealed: Buffer): Buffer {
  return sealed.subarray(KEY_ID_AT, NONCE_AT);
}

interface Known {
  /** An object: a buffer would be made into one anew by each call, which costs more than the call. */
  key: KeyObject;
  id: Buffer;
}

function withId(bytes: Buffer): Known {
  if (bytes.length !== 32) throw new Error("a master key or pepper must be 32 bytes");
  const key = createSecretKey(bytes);
  return { key, id: createHmac("sha256", key).update("key id").digest().subarray(0, KEY_ID_BYTES) };
}

interface Master extends Known {
  /** Another key than the one that seals, so that neither use tells of the other. */
  signingKey: KeyObject;
}

function withSigningKey(bytes: Buffer): Master {
  const known = withId(bytes);
  return { ...known, signingKey: createSecretKey(createHmac("sha256", known.key).update("sign").digest()) };
}

function signatureOf({ id, signingKey }: Master, data: Uint8Array): Buffer {
  return Buffer.concat([id, createHmac("sha256", signingKey).update(data).digest()]);
}

function hashOf({ key, id }: Known, apiKey: string): KeyHash {
  return { hash: createHmac("sha256", key).update(apiKey).digest(), pepperId: id };
}
