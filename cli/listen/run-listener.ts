import { createClient } from "@connectrpc/connect";
import { type ListenReady, type ListenResponse, WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { Settings } from "../settings.ts";
import { isTaken } from "./forward.ts";
import { type Forwarded, Forwarder } from "./forwarder.ts";
import { longStream } from "./long-stream.ts";

/** What to listen to, where to forward it, and until when. */
export interface ListenerOptions {
  settings: Settings;
  /** Where events go. */
  url: string;
  /** Of the listener. */
  name: string;
  /** Who listens. */
  client: string;
  eventTypes: readonly string[];
  ordered: boolean;
  takeOver: boolean;
  fromNow: boolean;
  /** End when one of this type was taken. */
  until: string | undefined;
  /** End when so many were taken. */
  count: number | undefined;
  timeoutMs: number | undefined;
  /** Somebody stops it. */
  stop: AbortSignal;
  onReady: (ready: ListenReady, again: boolean) => void;
  onForwarded: (forwarded: Forwarded) => void;
  onBreak: (why: string, waitMs: number) => void;
}

/** How it ended. */
export interface ListenerEnd {
  why: "reached" | "late" | "stopped";
  taken: number;
  /** The listener's endpoint. */
  endpointId: string;
}

// How long what is under way may take when it ends.
const PATIENCE_MS = 5_000;

/** Listens and forwards, over as many connections as it takes, until what was asked for is reached or somebody stops it. */
export async function runListener(options: ListenerOptions): Promise<ListenerEnd> {
  const { until, count, timeoutMs, stop } = options;
  const ending = new AbortController(); // nothing more is begun
  const ended = new AbortController(); // and what was under way is over
  const forwarder = new Forwarder({
    ...options,
    onForwarded: (forwarded) => {
      options.onForwarded(forwarded);
      const isLast = forwarder.taken === count || forwarded.delivery.eventType === until;
      if (isLast && isTaken(forwarded.answer)) ending.abort("reached");
    },
  });
  ending.signal.addEventListener("abort", () => forwarder.close(PATIENCE_MS).then(() => ended.abort()), { once: true });
  stop.addEventListener("abort", () => ending.abort("stopped"), { once: true });
  const late = timeoutMs === undefined ? undefined : setTimeout(() => ending.abort("late"), timeoutMs);
  let ready: ListenReady | undefined;
  try {
    for await (const { message } of openStream(options, forwarder, ended.signal, () => ready !== undefined)) {
      if (message.case === "delivery") forwarder.take(message.value);
      if (message.case !== "ready") continue;
      options.onReady(message.value, ready !== undefined);
      ready = message.value;
    }
  } finally {
    clearTimeout(late);
    ending.abort("stopped");
  }
  return { why: ending.signal.reason, taken: forwarder.taken, endpointId: ready?.endpoint?.id ?? "" };
}

function openStream(
  options: ListenerOptions,
  forwarder: Forwarder,
  stop: AbortSignal,
  wasReady: () => boolean,
): AsyncIterable<ListenResponse> {
  const { settings, name, client, eventTypes, ordered, onBreak } = options;
  return longStream<ListenResponse>({
    settings,
    stop,
    onBreak,
    open: (transport, signal) => {
      forwarder.connect(transport);
      const again = wasReady(); // what was to happen once has happened
      const once = again ? {} : { takeOver: options.takeOver, fromNow: options.fromNow };
      const request = { name, client, eventTypes: [...eventTypes], ordered, ...once };
      return createClient(WebhookService, transport).listen(request, { signal, timeoutMs: 0 });
    },
  });
}
