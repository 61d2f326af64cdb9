import { Temporal } from "temporal-polyfill";
import { Period } from "../../gen/usageflow/v1/pricing_pb.ts";
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

/**
 * The period of a cadence that contains an instant. Periods tile time: where one ends the next begins. Boundaries are
 * compared as instants, for local dates can mislead: where clocks go back over midnight, a day comes twice.
 */
export function periodAt(cadence: Cadence, instant: Date): BillingPeriod {
  const boundary = boundaries(cadence);
  const { averageMs } = lengthOf(cadence);
  let place = Math.floor((instant.getTime() - boundary(0).getTime()) / averageMs); // or next to it
  let start = boundary(place);
  while (start > instant) start = boundary(--place);
  let end = boundary(place + 1);
  while (end <= instant) {
    start = end;
    end = boundary(++place + 1);
  }
  return { start, end };
}

/**
 * The earliest whole hour (UTC) from which a period ends after an instant. As a rule a period before it, but where a month
 * has fewer days up to three days later: from 28 February it ends on 28 March, and only from 1 March after 30 March. So
 * the hours are tried, from a day before on: clocks have left out as much.
 */
export function earliestAnchor(cadence: Omit<Cadence, "anchor">, instant: Date): Date {
  const before = toDate(zoned(instant, cadence.timeZone).subtract(spanOf(cadence, 1)).subtract({ days: 1 }));
  let anchor = new Date(Math.ceil(before.getTime() / HOUR_MS) * HOUR_MS);
  while (periodAt({ ...cadence, anchor }, anchor).end <= instant) anchor = plusMs(anchor, HOUR_MS);
  return anchor;
}

/** The same time of day so many days later. */
export function plusDays(instant: Date, days: number, timeZone: string): Date {
  return toDate(zoned(instant, timeZone).add({ days }));
}

/** Whether a period is closed: its end and the grace period have passed, so that its invoices are final. */
export function isClosed({ end }: BillingPeriod, now: Date, gracePeriodMs: number): boolean {
  return end.getTime() + gracePeriodMs <= now.getTime();
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365.2425 * DAY_MS;

/** How long a period is, in days of the calendar and on average. */
interface Length {
  unit: "weeks" | "months";
  count: number;
  averageMs: number;
}

const LENGTHS = new Map<Period, Length>([
  [Period.WEEKLY, { unit: "weeks", count: 1, averageMs: 7 * DAY_MS }],
  [Period.MONTHLY, { unit: "months", count: 1, averageMs: YEAR_MS / 12 }],
  [Period.QUARTERLY, { unit: "months", count: 3, averageMs: YEAR_MS / 4 }],
  [Period.YEARLY, { unit: "months", count: 12, averageMs: YEAR_MS }],
]);

// Boundaries of the calendar; which ones does not matter.
const A_MONDAY = Temporal.PlainDate.from("1970-01-05");
const A_NEW_YEAR = Temporal.PlainDate.from("1970-01-01");

/** The nth boundary of a cadence, each counted from the first, so that no short month shifts those after it. */
function boundaries(cadence: Cadence): (place: number) => Date {
  const { timeZone, anchor } = cadence;
  if (anchor) {
    const first = zoned(anchor, timeZone);
    return (place) => toDate(first.add(spanOf(cadence, place)));
  }
  const first = cadence.period === Period.WEEKLY ? A_MONDAY : A_NEW_YEAR;
  return (place) => toDate(first.add(spanOf(cadence, place)).toZonedDateTime(timeZone));
}

function spanOf(cadence: Pick<Cadence, "period">, periods: number): Temporal.DurationLike {
  const { unit, count } = lengthOf(cadence);
  return { [unit]: periods * count };
}

function lengthOf({ period }: Pick<Cadence, "period">): Length {
  const length = LENGTHS.get(period);
  if (!length) throw new Error("a cadence without a period");
  return length;
}

function zoned(instant: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
}

function toDate(time: Temporal.ZonedDateTime): Date {
  return new Date(time.epochMilliseconds);
}
