import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A receiver that answers as the path says: `/410` always 410, `/500x5` five times 500 and then 204. */
export interface AnsweringReceiver {
  url: string;
  close(): Promise<void>;
}

const TAKEN = 204;

/** Starts one on a free port of this machine. */
export async function startAnsweringReceiver(): Promise<AnsweringReceiver> {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const [, status = TAKEN, times = Infinity] = /^\/(\d{3})(?:x(\d+))?$/.exec(path) ?? [];
    const before = asked.get(path) ?? 0;
    asked.set(path, before + 1);
    request.resume();
    request.once("end", () => response.writeHead(before < Number(times) ? Number(status) : TAKEN).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
