import { systemClock } from "../../server/clock.ts";
import type { Log } from "../../server/log.ts";
import { type Facts, writtenFacts } from "../../server/observe/fact.ts";

/** One POST of a webhook, as it went. */
export interface DeliveryNote {
  /** When it was over, as RFC 3339. */
  at: string;
  deliveryId: string;
  eventId: string;
  eventType: string;
  endpointId: string;
  /** From 1. */
  attempt: number;
  /** Status of the answer. 0: there was none. */
  status: number;
  durationMs: number;
  /** Why it failed. Empty when it did not. */
  error: string;
}

/** Who hears what an emulator does. */
export interface Listeners {
  onDelivery?: (note: DeliveryNote) => void;
  /** Told in words what goes wrong in the server. */
  onTrouble: (words: string) => void;
}

/**
 * The server's log as an emulator hears it: deliveries are told, calls are not, and what goes wrong is words. Once
 * `stopped` says so nothing is told: connections end then, and that is no trouble.
 */
export function createEmulatorLog({ onDelivery, onTrouble }: Listeners, stopped: () => boolean): Log {
  const trouble = (event: string, facts?: Facts) => {
    if (!stopped()) onTrouble(wordsOf(event, facts));
  };
  return {
    debug() {},
    info(event, facts) {
      if (event === "delivery.attempted" && facts) onDelivery?.(noteOf(facts));
    },
    warn: trouble,
    error: trouble,
  };
}

function noteOf(facts: Facts): DeliveryNote {
  return {
    at: systemClock.now().toISOString(),
    deliveryId: String(facts.delivery_id),
    eventId: String(facts.event_id),
    eventType: String(facts.type),
    endpointId: String(facts.endpoint_id),
    attempt: Number(facts.attempt),
    status: Number(facts.status ?? 0),
    durationMs: Math.round(Number(facts.duration_ms)),
    error: String(facts.error ?? ""),
  };
}

function wordsOf(event: string, facts: Facts = {}): string {
  const told = Object.entries(writtenFacts(facts)).filter(([name]) => name !== "stack");
  return `${event} ${told.map(([name, value]) => `${name}=${value}`).join(" ")}`.trimEnd();
}
