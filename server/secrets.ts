import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";

/** What is kept secret at rest: things to be opened again, and API keys, which are only ever compared. */
export interface Secrets {
  /** Encrypts `plain`. `place` (such as `tenant|table|row`) is bound to it: moved elsewhere, it does not open. */
  seal(plain: Uint8Array, place: string): Buffer;
  /** Opens what `seal` made for the same place. Throws when it was changed, moved, or sealed with another key. */
  open(sealed: Uint8Array, place: string): Buffer;
  /** HMAC-SHA-256 of an API key with the pepper: what is stored and looked up in its stead. */
  hashKey(key: string): Buffer;
  /** HMAC-SHA-256 of `data` with a key of the master key's, and that one's id before it. */
  sign(data: Uint8Array): Buffer;
  /** Whether `sign` made `signature` of `data`. Undefined: with a key that this server does not have. */
  isSigned(data: Uint8Array, signature: Uint8Array): boolean | undefined;
}

const VERSION = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM (NIST SP 800-38D). A sealed value is version (1 byte), id of the key (4), nonce (12), tag (16),
 * ciphertext. The key's id lets a later key open what an earlier one sealed.
 */
export function createSecrets(masterKey: Buffer, pepper: Buffer): Secrets {
  if (masterKey.length !== 32) throw new Error("the master key must be 32 bytes");
  // As objects: a buffer would be made into one anew by each call, which costs more than the call.
  const master = createSecretKey(masterKey);
  const pepperKey = createSecretKey(pepper);
  const keyId = createHmac("sha256", master).update("key id").digest().subarray(0, KEY_ID_BYTES);
  const signKey = createSecretKey(createHmac("sha256", master).update("sign").digest());
  const sign = (data: Uint8Array) => Buffer.concat([keyId, createHmac("sha256", signKey).update(data).digest()]);
  return {
    seal(plain, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", master, nonce).setAAD(Buffer.from(place));
      const text = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), keyId, nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed);
      const nonceAt = 1 + KEY_ID_BYTES;
      const tagAt = nonceAt + NONCE_BYTES;
      const textAt = tagAt + TAG_BYTES;
      if (bytes[0] !== VERSION || !bytes.subarray(1, nonceAt).equals(keyId)) {
        throw new Error("sealed with a key that this server does not have");
      }
      const decipher = createDecipheriv("aes-256-gcm", master, bytes.subarray(nonceAt, tagAt), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(tagAt, textAt));
      return Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]);
    },
    hashKey: (key) => createHmac("sha256", pepperKey).update(key).digest(),
    sign,
    isSigned(data, signature) {
      if (!keyId.equals(signature.subarray(0, KEY_ID_BYTES))) return undefined;
      const own = sign(data);
      return signature.length === own.length && timingSafeEqual(own, signature);
    },
  };
}
