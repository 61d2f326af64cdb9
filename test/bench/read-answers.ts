import type { Socket } from "node:net";

/** Reads answers over HTTP/1.1, one at a time: `take` gets the status and all of the text. */
export function readAnswers(socket: Socket, take: (status: string, text: string) => void): void {
  let seen = "";
  socket.on("data", (chunk) => {
    seen += chunk.toString("latin1");
    const head = seen.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: *(\d+)/i.exec(seen)?.[1] ?? 0);
    if (seen.length < head + 4 + length) return;
    const text = seen;
    seen = "";
    take(text.slice(9, 12), text);
  });
}
