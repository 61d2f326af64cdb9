import type { Socket } from "node:net";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Reads a connection's first bytes and puts them back. `decide` hears once: HTTP/2, not, or undefined when it is gone. */
export function sniff(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean | undefined) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const settle = (isHttp2: boolean | undefined) => {
    socket.off("readable", read).off("error", drop).off("timeout", drop).off("close", gone);
    socket.setTimeout(0);
    if (isHttp2 !== undefined) socket.unshift(seen);
    decide(isHttp2);
  };
  const drop = () => void socket.destroy();
  const gone = () => settle(undefined);
  const read = () => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isPrefix = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (!isPrefix || length === PREFACE.length) return settle(isPrefix);
    }
  };
  socket.on("readable", read).on("error", drop).on("timeout", drop).on("close", gone);
  socket.setTimeout(timeoutMs);
}
