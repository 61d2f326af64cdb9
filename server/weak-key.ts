const BYTES = 32;
// Of 32 random bytes, fewer than this many are different once in 500 million times.
const DIFFERENT_MIN = 18;
const HOW = "make one with: openssl rand -base64 32";

/**
 * What is wrong with the text of a key that encrypts or is keyed into hashes; undefined when nothing is seen. It finds what
 * people put in the place of a random key: nothing, a word or a phrase, a pattern, another length.
 */
export function weaknessOf(text: string | undefined): string | undefined {
  if (!text) return `is not set: ${HOW}`;
  const bytes = Buffer.from(text, "base64");
  const exact = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  if (!exact || bytes.length !== BYTES) return `must be ${BYTES} random bytes in base64: ${HOW}`;
  return isRandom(bytes, text) ? undefined : `does not look random, so it could be guessed: ${HOW}`;
}

function isRandom(bytes: Buffer, text: string): boolean {
  const steps = bytes.map((byte, place) => byte - (bytes[place - 1] ?? 0));
  const readable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f); // base64 of a phrase
  const cased = /[a-z]/.test(text) && /[A-Z]/.test(text); // else the base64 is a phrase
  return different(bytes) >= DIFFERENT_MIN && different(steps) >= DIFFERENT_MIN && cased && !readable;
}

function different(bytes: Uint8Array): number {
  return new Set(bytes).size;
}
