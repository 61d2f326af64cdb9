import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A request as it came. */
export interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** Answers a request that was read to its end, or leaves it hanging. */
export type Behaviour = (response: ServerResponse, request: Received) => void;

export interface Receiver {
  /** Of a path that takes webhooks. */
  url: string;
  /** What came, in order of arrival. */
  got: Received[];
  /** From now on. At first: 204. */
  behave(behaviour: Behaviour): void;
}

/** A real HTTP server that keeps what it gets. Closed when the test is finished. */
export async function startReceiver(): Promise<Receiver> {
  const got: Received[] = [];
  let behaviour: Behaviour = (response) => response.writeHead(204).end();
  const server = createServer(async (message, response) => {
    const request = await read(message).catch(() => undefined);
    if (!request) return; // the sender was gone before it had said it all
    got.push(request);
    behaviour(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/webhooks`,
    got,
    behave(next) {
      behaviour = next;
    },
  };
}

/** A behaviour that answers a status. */
export function answer(status: number, body = "", headers: Record<string, string> = {}): Behaviour {
  return (response) => response.writeHead(status, headers).end(body);
}

async function read(message: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return {
    method: message.method ?? "",
    path: message.url ?? "",
    headers: message.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}
