import { connect, type Socket } from "node:net";
import { type LoadResult, summarise } from "./load.ts";
import { readAnswers } from "./read-answers.ts";

/** Requests that are due at a rate, whatever became of those before. */
export interface OpenLoad {
  url: string;
  key: string;
  perSecond: number;
  /** On which they go, one at a time on each. */
  connections: number;
  ms: number;
  /** Begins the idempotency keys: the number of the request follows. */
  prefix: string;
}

/** What came of it. Latencies count from when a request was due. */
export interface OpenResult extends LoadResult {
  /** Numbers of the events that were acknowledged. */
  acknowledged: number[];
  /** Refusals that said when to come again. */
  toldWhen: number;
}

const TICK_MS = 1;

/** Sends one event with each request over HTTP/1.1, on bare sockets: what the client spends, it takes from the server. */
export async function openLoad(load: OpenLoad): Promise<OpenResult> {
  const { hostname, port, host } = new URL(load.url);
  const due: { number: number; atMs: number }[] = [];
  const idle: ((request: { number: number; atMs: number }) => void)[] = [];
  const latencies: number[] = [];
  const statuses = new Map<string, number>();
  const acknowledged: number[] = [];
  let toldWhen = 0;

  const lost = Promise.withResolvers<never>();
  const open = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true).once("error", reject);
      socket.once("close", () => lost.reject(new Error(`the server closed a connection of ${load.prefix}`)));
      let sent = { number: 0, atMs: 0 };
      const send = (request: typeof sent) => {
        sent = request;
        const body = `{"metric":"API_CALL","amount":1,"customerId":"user_1","idempotencyKey":"${load.prefix}${request.number}"}`;
        socket.write(
          `POST /api/track HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n` +
            `x-usageflow-api-key: ${load.key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      };
      const next = () => {
        const request = due.shift();
        if (request) send(request);
        else idle.push(send);
      };
      socket.on("connect", () => {
        resolve(socket);
        next();
      });
      readAnswers(socket, (status, text) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === "200") {
          acknowledged.push(sent.number);
          latencies.push(performance.now() - sent.atMs);
        } else if (/retry-after: *\d/i.test(text)) toldWhen += 1;
        next();
      });
    });
  const sockets = await Promise.all(Array.from({ length: load.connections }, open));
  const began = performance.now();
  let number = 0;
  const over = new Promise<void>((resolve) => {
    const tick = setInterval(() => {
      const now = performance.now() - began;
      // What finds no connection for a second is given up: an overload is not to be made up for later.
      while (due[0] && began + now - due[0].atMs > 1_000) due.shift();
      for (; number < (Math.min(now, load.ms) * load.perSecond) / 1_000; number++) {
        const request = { number, atMs: began + (number * 1_000) / load.perSecond };
        const send = idle.shift(); // in turn: a server drops a connection that says nothing
        if (send) send(request);
        else due.push(request);
      }
      if (now < load.ms || idle.length < sockets.length) return;
      clearInterval(tick);
      resolve();
    }, TICK_MS);
  });
  await Promise.race([over, lost.promise]);
  const ms = performance.now() - began;
  for (const socket of sockets) socket.destroy();
  return { ...summarise(latencies, ms, statuses), acknowledged, toldWhen };
}
