import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

// HTTP/2 by the byte, for what no client would send.

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Types of frames (RFC 9113, section 6). */
export const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, GOAWAY: 7, CONTINUATION: 9 } as const;
/** The flag of HEADERS and CONTINUATION that says that no more headers follow. */
export const END_HEADERS = 4;
export const REFUSED_STREAM = 7;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A frame's bytes. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers as HPACK has them without compression: each a literal that nobody remembers. */
export function headerBlock(headers: Record<string, string>): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.of(bytes.length), bytes]); // up to 126 bytes
  };
  return Buffer.concat(
    Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])),
  );
}

/** A connection on which the test writes frames. */
export interface RawSession {
  socket: Socket;
  /** Resolves when the connection has ended. */
  closed: Promise<void>;
  write(...frames: Buffer[]): void;
  /** The next frame that `wanted` takes; those before it are passed over. Undefined: the connection has ended. */
  next(wanted: (frame: Frame) => boolean): Promise<Frame | undefined>;
}

/** Opens a connection, and says hello. */
export function openRaw(port: number): RawSession {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {}); // it ends then, which is what is asked for
  socket.write(Buffer.concat([PREFACE, frame(FRAME.SETTINGS, 0, 0)]));
  const frames = readFrames(socket);
  return {
    socket,
    closed: new Promise((resolve) => socket.once("close", () => resolve())),
    write: (...more) => void socket.write(Buffer.concat(more)),
    async next(wanted) {
      for (;;) {
        const { value, done } = await frames.next();
        if (done) return undefined;
        if (wanted(value)) return value;
      }
    },
  };
}

async function* readFrames(socket: Socket): AsyncGenerator<Frame, undefined> {
  let got = Buffer.alloc(0);
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      got = Buffer.concat([got, chunk]);
      while (got.length >= 9 && got.length >= 9 + got.readUIntBE(0, 3)) {
        const length = got.readUIntBE(0, 3);
        const payload = got.subarray(9, 9 + length);
        yield { type: got.readUInt8(3), flags: got.readUInt8(4), stream: got.readUInt32BE(5) & 0x7fffffff, payload };
        got = got.subarray(9 + length);
      }
    }
  } catch {
    // It was cut.
  }
}
