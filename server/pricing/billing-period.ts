import { Period } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Tiling, tileAt } from "../calendar.ts";
import { plusMs } from "../clock.ts";

/** The span of time that one invoice covers: from `start`, which it includes, to `end`, which it does not. */
export interface BillingPeriod {
  start: Date;
  end: Date;
}

/** How time is cut into periods. */
export interface Cadence {
  period: Period;
  /** IANA name. Days are this zone's. */
  timeZone: string;
  /** What the boundaries are counted from. Null: they are the calendar's. */
  anchor: Date | null;
}

const LENGTHS = new Map<Period, Pick<Tiling, "unit" | "count">>([
  [Period.WEEKLY, { unit: "weeks", count: 1 }],
  [Period.MONTHLY, { unit: "months", count: 1 }],
  [Period.QUARTERLY, { unit: "months", count: 3 }],
  [Period.YEARLY, { unit: "months", count: 12 }],
]);

const HOUR_MS = 3_600_000;

/** The period of a cadence that contains an instant. Periods tile time: where one ends the next begins. */
export function periodAt({ period, timeZone, anchor }: Cadence, instant: Date): BillingPeriod {
  const length = LENGTHS.get(period);
  if (!length) throw new Error("a cadence without a period");
  return tileAt({ ...length, timeZone, anchor }, instant);
}

/**
 * The earliest whole hour (UTC) from which a period ends after an instant. As a rule a period before it, but where a month
 * has fewer days up to three days later: from 28 February it ends on 28 March, and only from 1 March after 30 March. So
 * the hours are tried, from a day before on: clocks have left out as much.
 */
export function earliestAnchor(cadence: Omit<Cadence, "anchor">, instant: Date): Date {
  const before = plusMs(periodAt({ ...cadence, anchor: instant }, plusMs(instant, -1)).start, -24 * HOUR_MS);
  let anchor = new Date(Math.ceil(before.getTime() / HOUR_MS) * HOUR_MS);
  while (periodAt({ ...cadence, anchor }, anchor).end <= instant) anchor = plusMs(anchor, HOUR_MS);
  return anchor;
}

/** Whether a period is closed: its end and the grace period have passed, so that its invoices are final. */
export function isClosed({ end }: BillingPeriod, now: Date, gracePeriodMs: number): boolean {
  return end.getTime() + gracePeriodMs <= now.getTime();
}
