import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

/** A customer's own system: it receives webhooks and checks their signatures with the public library. */
export interface Receiver {
  url: string;
  /** Ids of the events that came, by type, of those whose signature is good. */
  verified: Map<string, Set<string>>;
  /** How many POSTs came, good or bad. */
  received: number;
  /** The secret to check with, which is known only after the endpoint was made. */
  secret: string;
  close(): Promise<void>;
}

/** Starts a receiver on a free port of this machine. */
export async function startReceiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    receiver.received++;
    try {
      new Webhook(receiver.secret).verify(body, request.headers as Record<string, string>);
      const { type } = JSON.parse(body) as { type: string };
      const ids = receiver.verified.get(type) ?? new Set();
      receiver.verified.set(type, ids.add(String(request.headers["webhook-id"])));
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end("the signature is wrong");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    verified: new Map(),
    received: 0,
    secret: "",
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
