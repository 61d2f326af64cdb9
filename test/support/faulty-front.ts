import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/**
 * What becomes of a request: it passes; its connection breaks before the server has it, or after the server has answered,
 * or in the middle of the answer; or something between answers, what it may.
 */
export type Fault = "pass" | "cut" | "answer lost" | "answer torn" | "busy" | "unavailable" | "nonsense";

export const FAULTS: readonly Fault[] = [
  "pass",
  "cut",
  "answer lost",
  "answer torn",
  "busy",
  "unavailable",
  "nonsense",
];

/** A front of a server that goes wrong as it is told. */
export interface FaultyFront {
  url: string;
  /** What becomes of the next requests, in turn; then of all. */
  plan(faults: readonly Fault[], then?: Fault): void;
  /** The requests that came. */
  bodies: string[];
}

const nonsense = ['{"results":[]}', '{"results":[null]}', "null", '{"results":[{"outcome":"yes"}]}', "<html>"];

/** Starts one. Closed when the test is finished. */
export async function startFaultyFront(target: string): Promise<FaultyFront> {
  let faults: Fault[] = [];
  let rest: Fault = "pass";
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    bodies.push(body.toString());
    const fault = faults.shift() ?? rest;
    if (fault === "cut") return response.destroy();
    if (fault === "busy") return void response.writeHead(429, { "retry-after": "0" }).end();
    if (fault === "unavailable") return void response.writeHead(503).end("<html>upstream</html>");
    if (fault === "nonsense") return void response.writeHead(200).end(nonsense[bodies.length % nonsense.length]);
    const headers = Object.entries(request.headers).filter(
      ([name]) => !/^(host|connection|content-length)$/.test(name),
    );
    const init = { method: "POST", headers: headers as [string, string][], body };
    const answer = await fetch(`${target}${request.url}`, init);
    await pass(response, answer, fault);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    plan(next, then = "pass") {
      faults = [...next];
      rest = then;
    },
  };
}

async function pass(response: ServerResponse, answer: Response, fault: Fault): Promise<void> {
  const text = Buffer.from(await answer.arrayBuffer());
  if (fault === "answer lost") return void response.destroy();
  const kept = ["content-type", "x-request-id", "retry-after"].flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  response.writeHead(answer.status, { ...Object.fromEntries(kept), "content-length": text.length });
  if (fault !== "answer torn") return void response.end(text);
  response.write(text.subarray(0, text.length >> 1), () => response.destroy());
}
