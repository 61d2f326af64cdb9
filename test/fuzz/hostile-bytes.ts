import { gzipSync } from "node:zlib";
import type { Dice } from "./dice.ts";

// Bytes that are almost a message of protobuf, and gRPC frames that are almost frames.

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
const tag = (field: number, type: number) => varint(field * 8 + type);
const LONG = Array<number>(11).fill(0xff); // a varint has 10 bytes at most
const BIGGEST_FIELD = 2 ** 29 - 1;
const GROUPS = 20_000;

type Change = (bytes: Buffer, dice: Dice) => Buffer;

const glued = (...parts: (Buffer | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const flipped: Change = (bytes, dice) => {
  const out = Buffer.from(bytes);
  for (let flips = dice.below(4) + 1; flips > 0 && out.length > 0; flips--) {
    const at = dice.below(out.length);
    out[at] = (out[at] as number) ^ (1 << dice.below(8));
  }
  return out;
};

const CHANGES: readonly Change[] = [
  flipped,
  flipped,
  (bytes, dice) => bytes.subarray(0, dice.below(bytes.length + 1)),
  (bytes, dice) => bytes.subarray(dice.below(bytes.length + 1)),
  (bytes) => glued(bytes, bytes), // fields twice: the last counts, messages merge
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, dice.below(8)), [dice.below(256), dice.below(256)]), // any wire type
  (bytes, dice) => glued(tag(dice.below(16) + 1, 0), LONG, bytes),
  (bytes) => glued(bytes, tag(0, 0), [1]),
  (bytes) => glued(bytes, tag(BIGGEST_FIELD, 0), [1]),
  (bytes) => glued(bytes, tag(BIGGEST_FIELD + 1, 0), [1]),
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, 2), varint(1_000_000), [1]), // longer than what is there
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, 2), LONG),
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, 2), varint(2 ** 32 - 1)),
  (bytes) => glued(bytes, Array<number[]>(GROUPS).fill(tag(99, 3)).flat()), // groups that nothing ends
  (bytes) =>
    glued(bytes, Array<number[]>(GROUPS).fill(tag(99, 3)).flat(), Array<number[]>(GROUPS).fill(tag(99, 4)).flat()),
  (bytes) => glued(bytes, tag(99, 4)),
  (_, dice) => nestedMessages(dice.below(16) + 1, dice.pick([50, 101, 1_000])),
  (_, dice) => Buffer.from(Array.from({ length: dice.below(200) }, () => dice.below(256))),
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, 2), [4, 0xed, 0xa0, 0x80, 0x80]), // no UTF-8
  (bytes, dice) => glued(bytes, tag(dice.below(16) + 1, 0), varint(2 ** 53 + 2)),
  (bytes) => glued(bytes, tag(100, 2), varint(100_000), Array<number>(100_000).fill(0)), // a field that there is not
];

function nestedMessages(field: number, depth: number): Buffer {
  let inside: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) inside = glued(tag(field, 2), varint(inside.length), inside);
  return inside;
}

/** A message's bytes with something wrong in them. */
export function hostileBytes(dice: Dice, bytes: Uint8Array): Buffer {
  return dice.pick(CHANGES)(Buffer.from(bytes), dice);
}

const BOMB = gzipSync(Buffer.alloc(10 * 1024 * 1024));

/** What is sent in place of one plain frame: the body with its frame, and the headers that it needs. */
export function hostileFrame(dice: Dice, message: Uint8Array): { body: Buffer; headers: Record<string, string> } {
  const framed = (flag: number, length: number, bytes: Uint8Array) => {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, bytes]);
  };
  const gzip = { "grpc-encoding": "gzip" };
  const plain = framed(0, message.length, message);
  const frames: readonly (() => { body: Buffer; headers?: Record<string, string> })[] = [
    () => ({ body: framed(2 + dice.below(254), message.length, message) }),
    () => ({ body: framed(1, message.length, message) }), // compressed, it says, and not how
    () => ({ body: framed(1, message.length, message), headers: gzip }),
    () => ({ body: framed(0, message.length, message), headers: gzip }),
    () => ({ body: framed(1, BOMB.length, BOMB), headers: gzip }),
    () => ({ body: framed(1, 10, gzipSync(message)), headers: gzip }),
    () => ({ body: framed(0, message.length + 1, message) }),
    () => ({ body: framed(0, 2 ** 32 - 1, message) }),
    () => ({ body: framed(0, 0, message) }),
    () => ({ body: plain.subarray(0, dice.below(plain.length)) }),
    () => ({ body: Buffer.concat([plain, plain]) }),
    () => ({ body: Buffer.concat([plain, Buffer.from([0])]) }),
    () => ({ body: Buffer.alloc(0) }),
  ];
  const { body, headers = {} } = dice.pick(frames)();
  return { body, headers };
}

/** A gzip of ten million zeros. */
export const gzipBomb: Uint8Array = BOMB;
