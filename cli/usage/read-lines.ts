/** A line of a file: its bytes without the line break, or nothing where it is longer than allowed. */
export interface Line {
  /** From 1. */
  number: number;
  bytes: Buffer | undefined;
}

/** Far more than an event can be (32 properties of 255 characters); a file without line breaks must not fill memory. */
export const LINE_BYTES_MAX = 256 * 1024;

const NEWLINE = 0x0a;

/**
 * Splits bytes into lines, in flat memory. Node's readline will not do: it also breaks lines at U+2028, which JSON
 * strings may hold.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let number = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= LINE_BYTES_MAX) parts.push(part);
    else parts = [];
  };
  const take = (): Line => {
    const bytes = length <= LINE_BYTES_MAX ? Buffer.concat(parts) : undefined;
    parts = [];
    length = 0;
    return { number: ++number, bytes };
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield take();
}
