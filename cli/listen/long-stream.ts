import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { openLine } from "../client.ts";
import type { Settings } from "../settings.ts";

/** A stream that is opened again when it breaks off. */
export interface LongStreamOptions<Message> {
  settings: Settings;
  /** Opens it, from where it stopped. */
  open: (transport: Transport, signal: AbortSignal) => AsyncIterable<Message>;
  /** Ends it. */
  stop: AbortSignal;
  /** Told when it broke off, and in how long it is tried again. */
  onBreak: (why: string, waitMs: number) => void;
}

// Between tries to come back, and after the last of them.
const BACK_OFF_MS = [0, 250, 500, 1_000, 2_000];
// Three of the server's heartbeats, and a little: after that the line is dead, whatever TCP thinks.
const SILENCE_MS = 10_000;
const SILENCE_CHECK_MS = 500;

/**
 * Messages of a stream, over as many connections as it takes. What breaks off before the first message ever came is an
 * error; later, only what the server refuses for good is one: everything else is tried again until `stop`.
 */
export async function* longStream<Message>(options: LongStreamOptions<Message>): AsyncIterable<Message> {
  const { stop, onBreak } = options;
  let known = false; // whether the server ever answered
  for (let failures = 0; !stop.aborted; failures++) {
    try {
      for await (const message of oneStream(options)) {
        known = true;
        failures = 0;
        yield message;
      }
      if (stop.aborted) return;
      throw new ConnectError("the server ended the stream", Code.Unavailable);
    } catch (error) {
      if (stop.aborted) return;
      if (!known || !(error instanceof ConnectError) || isFinal(error)) throw error;
      const waitMs = BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] as number;
      onBreak(whyBroken(error), waitMs);
      await sleep(waitMs, undefined, { signal: stop }).catch(() => {});
    }
  }
}

async function* oneStream<Message>({ settings, open, stop }: LongStreamOptions<Message>): AsyncIterable<Message> {
  const line = openLine(settings);
  const ended = new AbortController();
  const silence = new ConnectError(`nothing was heard for ${SILENCE_MS / 1_000} s`, Code.Unavailable);
  // By the time of day: a machine that slept notices as soon as it wakes.
  let heardAt: number | undefined = Date.now();
  const watch = setInterval(() => {
    if (heardAt !== undefined && Date.now() - heardAt > SILENCE_MS) ended.abort(silence);
  }, SILENCE_CHECK_MS);
  const onStop = () => ended.abort(stop.reason);
  stop.addEventListener("abort", onStop, { once: true });
  try {
    for await (const message of open(line.transport, ended.signal)) {
      heardAt = undefined; // a slow taker is not a dead line
      yield message;
      heardAt = Date.now();
    }
  } catch (error) {
    throw ended.signal.reason === silence ? silence : error;
  } finally {
    clearInterval(watch);
    stop.removeEventListener("abort", onStop);
    line.close();
  }
}

/** What to tell of a break: the server's own words, or where they are those of a protocol, plain ones. */
function whyBroken(error: ConnectError): string {
  if (isOfServer(error) || error.code === Code.Unavailable)
    return error.rawMessage.replace(/^.*ECONNREFUSED.*$/, "nobody listens there");
  return "it was cut";
}

function isOfServer(error: ConnectError): boolean {
  return error.findDetails(ErrorDetailSchema).length > 0;
}

const AWAY = [Code.Unavailable, Code.Aborted, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Internal];

/** Whether trying again is of no use: the server says what is wrong, and it is not that it is away or has too much to do. */
export function isFinal(error: ConnectError): boolean {
  return isOfServer(error) && !AWAY.includes(error.code);
}
