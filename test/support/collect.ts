import { onTestFinished } from "vitest";

/** What a stream has brought so far. */
export interface Collected<Message> {
  /** All of it, in order. */
  readonly got: Message[];
  /** Why it ended, once it has. */
  readonly ended: Promise<unknown>;
  /** Resolves when `enough` says so. Rejects when the stream ends before. */
  until(enough: (got: Message[]) => boolean): Promise<Message[]>;
  /** Goes away. */
  stop(): void;
}

/** Reads a stream in the background, until the test is finished. */
export function collect<Message>(open: (signal: AbortSignal) => AsyncIterable<Message>): Collected<Message> {
  const stop = new AbortController();
  const got: Message[] = [];
  let look = () => {};
  const read = async () => {
    for await (const message of open(stop.signal)) {
      got.push(message);
      look();
    }
  };
  const ended = read().then(
    () => new Error("the stream ended"),
    (error: unknown) => error,
  );
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return {
    got,
    ended,
    until: (enough) =>
      new Promise((resolve, reject) => {
        ended.then(reject);
        look = () => enough(got) && resolve(got);
        look();
      }),
    stop: () => stop.abort(),
  };
}
