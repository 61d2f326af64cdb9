import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { failureOf } from "../errors.ts";
import type { Emulator } from "./emulator.ts";

/** Where an emulator takes orders from other processes of its user. */
export interface ControlServer {
  url: string;
  /** Proves that one may give orders. It stands in the locator, which only its user can read. */
  token: string;
  close(): Promise<void>;
}

/** What can be ordered, and what is answered. */
export interface Orders {
  stop: { asked: Record<string, never>; answered: Record<string, never> };
  reset: { asked: Record<string, never>; answered: Record<string, never> };
  save: { asked: { to: string }; answered: { folder: string } };
  load: { asked: { from: string }; answered: { keysChanged: boolean } };
}

export type Order = keyof Orders;

/** Starts to take orders, on a port of its own: the server's own stops and starts meanwhile. */
export async function startControl(
  emulator: Emulator,
  { onStop, onChange }: { onStop: () => void; onChange: () => Promise<void> },
): Promise<ControlServer> {
  const token = randomBytes(32).toString("hex");
  const orders: { [Name in Order]: (asked: Orders[Name]["asked"]) => Promise<Orders[Name]["answered"]> } = {
    stop: async () => {
      setImmediate(onStop); // the answer goes first
      return {};
    },
    reset: async () => {
      await emulator.reset();
      return {};
    },
    save: async ({ to }) => ({ folder: await emulator.save(to) }),
    load: async ({ from }) => {
      const before = emulator.apiKey;
      await emulator.load(from);
      await onChange();
      return { keysChanged: emulator.apiKey !== before };
    },
  };
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const name = request.url?.slice(1) ?? "";
    if (!isAllowed(request, token)) return answer(401, {});
    if (request.method !== "POST" || !Object.hasOwn(orders, name)) return answer(404, {});
    try {
      answer(200, await orders[name as Order]((await json(request)) as never));
    } catch (error) {
      answer(500, await failureOf(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
    },
  };
}

function isAllowed({ headers }: IncomingMessage, token: string): boolean {
  const given = Buffer.from(headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
