import { Temporal } from "temporal-polyfill";
import { plusMs } from "../clock.ts";

/** The span of time that one invoice covers: from `start`, which it includes, to `end`, which it does not. */
export interface BillingPeriod {
  start: Date;
  end: Date;
}

/** The calendar month, in UTC, that contains an instant. Months tile time: where one ends the next begins. */
export function periodAt(instant: Date): BillingPeriod {
  const start = Temporal.Instant.fromEpochMilliseconds(instant.getTime())
    .toZonedDateTimeISO("UTC")
    .with({ day: 1 })
    .startOfDay();
  return { start: toDate(start), end: toDate(start.add({ months: 1 })) };
}

/**
 * The earliest period that is not closed. A period is closed when its end and the grace period have passed: its invoices
 * are final, and nothing that begins now can be billed in it.
 */
export function earliestOpenPeriod(now: Date, gracePeriodMs: number): BillingPeriod {
  return periodAt(plusMs(now, -gracePeriodMs));
}

function toDate(time: Temporal.ZonedDateTime): Date {
  return new Date(time.epochMilliseconds);
}
