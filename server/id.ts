import { randomUUID } from "node:crypto";

/**
 * Ids are UUIDv7 inside (RFC 9562: time-ordered, so that new rows stand together) and a prefix with the same 128 bits
 * in base62 at the edge, such as `inv_2RWPc3yyYZ9nQwJ1PSy8Kd`.
 */
export type IdPrefix =
  | "org"
  | "mem"
  | "tok"
  | "ten"
  | "key"
  | "sub"
  | "dsc"
  | "inv"
  | "crg"
  | "crn"
  | "evt"
  | "whe"
  | "whd"
  | "rpl";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS_128 = 22;
const VERSION_AT = 14;

/** What ids are made of. */
export interface IdSource {
  /** Time, in milliseconds since 1970. */
  now(): number;
  /** A random UUID. */
  uuid(): string;
}

const system: IdSource = { now: () => Date.now(), uuid: () => randomUUID() };

let source = system;
let lastMs = 0;
let counter = 0;

/** Makes ids of something else from now on: for an emulator whose runs are to be equal. Undefined: as ever. */
export function setIdSource(given: IdSource | undefined): void {
  source = given ?? system;
  lastMs = 0;
  counter = 0;
}

/** A new UUIDv7. Ids made by one process grow: the 12 bits after the time count within a millisecond. */
export function newId(): string {
  const now = source.now();
  if (now > lastMs) {
    lastMs = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastMs += 1; // more than 4,096 in a millisecond borrow from the next one
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, "0");
  const count = counter.toString(16).padStart(3, "0");
  // The second half of a random UUID is what version 7 has there: the variant and 62 random bits.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${source.uuid().slice(19)}`;
}

/**
 * A new id of a member: UUIDv8 (RFC 9562, 5.8), laid out as version 7. So a column that says who asked for something holds one
 * UUID, and it says by itself whether that was a member or an API key.
 */
export function newMemberId(): string {
  const id = newId();
  return `${id.slice(0, VERSION_AT)}8${id.slice(VERSION_AT + 1)}`;
}

/** The UUID of who asked for something, as people see it. */
export function formatActor(uuid: string): string {
  return formatId(uuid[VERSION_AT] === "8" ? "mem" : "key", uuid);
}

/** When an id of ours was made. */
export function timeOfId(uuid: string): Date {
  return new Date(Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16));
}

/** The UUID before all others, which nothing has (RFC 9562, 5.9): what an id that cannot be read finds. */
export const NIL_ID = "00000000-0000-0000-0000-000000000000";

/** A UUID as people see it. */
export function formatId(prefix: IdPrefix, uuid: string): string {
  return `${prefix}_${toBase62(Buffer.from(uuid.replaceAll("-", ""), "hex"), DIGITS_128)}`;
}

/** The UUID in an id that people sent, or undefined when it is not one of this kind. */
export function parseId(prefix: IdPrefix, id: string): string | undefined {
  if (!id.startsWith(`${prefix}_`)) return undefined;
  const bytes = fromBase62(id.slice(prefix.length + 1), DIGITS_128, 16);
  return bytes && uuidOf(bytes);
}

/** The first 16 bytes as a UUID. */
export function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// Digits that are taken off at a time: as many as a JavaScript number holds exactly. Big integers are slow to divide.
const CHUNK_DIGITS = 8;
const CHUNK = 62n ** BigInt(CHUNK_DIGITS);

/** Bytes as a number in base62, padded to `length` digits. */
export function toBase62(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  while (rest > 0n) {
    let chunk = Number(rest % CHUNK);
    rest /= CHUNK;
    for (let digit = 0; digit < CHUNK_DIGITS; digit++) {
      text = ALPHABET[chunk % 62] + text;
      chunk = Math.floor(chunk / 62);
    }
  }
  return text.slice(-length).padStart(length, "0");
}

/** The `byteLength` bytes that `toBase62` wrote, or undefined when the text is none of its answers. */
function fromBase62(text: string, length: number, byteLength: number): Buffer | undefined {
  if (text.length !== length) return undefined;
  let value = 0n;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    value = value * 62n + BigInt(digit);
  }
  const hex = value.toString(16).padStart(byteLength * 2, "0");
  return hex.length > byteLength * 2 ? undefined : Buffer.from(hex, "hex");
}
