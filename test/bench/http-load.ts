import { connect, type Socket } from "node:net";
import { type Load, type LoadResult, summarise } from "./load.ts";
import { readAnswers } from "./read-answers.ts";

/**
 * Sends POST requests over keep-alive HTTP/1.1 connections, one at a time on each, for `ms`. On bare sockets, because the
 * client has the same two cores as the server: what it spends, it takes from what is measured.
 */
export function httpLoad(load: Load & { path: string; bodyOf: (number: number) => string }): Promise<LoadResult> {
  const url = new URL(load.url);
  const latencies: number[] = [];
  const statuses = new Map<string, number>();
  let sent = 0;
  const endAt = performance.now() + load.ms;
  const one = (connection: number) =>
    new Promise<void>((resolve, reject) => {
      const socket: Socket = connect(Number(url.port), url.hostname);
      socket.setNoDelay(true);
      let started = 0;
      const send = () => {
        started = performance.now();
        if (started >= endAt) return socket.end();
        const body = load.bodyOf(sent++);
        const key = load.keys[connection % load.keys.length];
        socket.write(
          `POST ${load.path} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n` +
            `x-usageflow-api-key: ${key}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        );
      };
      socket.on("connect", send);
      readAnswers(socket, (status) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        latencies.push(performance.now() - started);
        send();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
    });
  const began = performance.now();
  return Promise.all(Array.from({ length: load.connections }, (_, connection) => one(connection))).then(() =>
    summarise(latencies, performance.now() - began, statuses),
  );
}
