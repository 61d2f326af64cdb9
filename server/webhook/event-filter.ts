import { eventTypes } from "../outbox/event-type.ts";
import { invalid } from "../rpc/errors.ts";

/** Whether these patterns (`*`, `invoice.*`, `invoice.finalized`) let an event type through. No patterns: all. */
export function receives(patterns: readonly string[], type: string): boolean {
  const [noun] = type.split(".");
  return patterns.length === 0 || patterns.some((pattern) => ["*", `${noun}.*`, type].includes(pattern));
}

/** The event types that patterns let through. Refuses a pattern that lets none through, as `checkPatterns` does. */
export function typesOf(patterns: readonly string[]): string[] {
  checkPatterns(patterns);
  return eventTypes.filter((type) => receives(patterns, type));
}

/** Refuses a pattern that lets no event type through: a typing error would be silence. */
export function checkPatterns(patterns: readonly string[]): void {
  for (const [index, pattern] of patterns.entries()) {
    if (eventTypes.some((type) => receives([pattern], type))) continue;
    throw invalid(
      `event_types[${index}]`,
      `no event type matches "${pattern}"; the event types are ${eventTypes.join(", ")}`,
    );
  }
}
