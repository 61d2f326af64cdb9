import { inflateSync } from "node:zlib";

const HEAD_BYTES = 44;
const ENTRY_BYTES = 20;

/**
 * The font in a WOFF 1.0 file as OpenType, which is the same tables uncompressed. The font library would unpack a table of
 * ten million bytes again for each letter.
 */
export function unpackWoff(woff: Buffer): Buffer {
  const count = woff.readUInt16BE(12);
  const tables = Array.from({ length: count }, (_, at) => {
    const entry = HEAD_BYTES + at * ENTRY_BYTES;
    const start = woff.readUInt32BE(entry + 4);
    const stored = woff.subarray(start, start + woff.readUInt32BE(entry + 8));
    const length = woff.readUInt32BE(entry + 12);
    return {
      tag: woff.subarray(entry, entry + 4),
      checksum: woff.readUInt32BE(entry + 16),
      bytes: stored.length < length ? inflateSync(stored) : stored,
    };
  });
  const head = Buffer.alloc(12 + count * 16);
  woff.copy(head, 0, 4, 8); // the kind of font
  head.writeUInt16BE(count, 4);
  let start = head.length;
  const parts: Buffer[] = [head];
  tables.forEach(({ tag, checksum, bytes }, at) => {
    const entry = 12 + at * 16;
    tag.copy(head, entry);
    head.writeUInt32BE(checksum, entry + 4);
    head.writeUInt32BE(start, entry + 8);
    head.writeUInt32BE(bytes.length, entry + 12);
    const padding = Buffer.alloc(-bytes.length & 3); // tables begin at multiples of four
    parts.push(bytes, padding);
    start += bytes.length + padding.length;
  });
  return Buffer.concat(parts);
}
