import { Temporal } from "temporal-polyfill";

/** A piece of time: from `start`, which it includes, to `end`, which it does not. */
export interface Tile {
  start: Date;
  end: Date;
}

/** How time is cut into tiles that are as long as each other by the calendar. */
export interface Tiling {
  unit: "days" | "weeks" | "months";
  count: number;
  /** IANA name. Days are this zone's. */
  timeZone: string;
  /** What the boundaries are counted from. Null: they are the calendar's own, at midnight; weeks begin on Monday. */
  anchor: Date | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AVERAGE_MS = { days: DAY_MS, weeks: 7 * DAY_MS, months: (365.2425 / 12) * DAY_MS };

// Boundaries of the calendar; which ones does not matter.
const A_MONDAY = Temporal.PlainDate.from("1970-01-05");
const A_NEW_YEAR = Temporal.PlainDate.from("1970-01-01");

/**
 * The tile that contains an instant. Boundaries are compared as instants, for local dates can mislead: where clocks go
 * back over midnight, a day comes twice.
 */
export function tileAt(tiling: Tiling, instant: Date): Tile {
  const boundary = boundaries(tiling);
  const averageMs = AVERAGE_MS[tiling.unit] * tiling.count;
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

/** The nth boundary of a tiling, each counted from the first, so that no short month shifts those after it. */
function boundaries({ unit, count, timeZone, anchor }: Tiling): (place: number) => Date {
  const span = (place: number) => ({ [unit]: place * count });
  if (anchor) {
    const first = zoned(anchor, timeZone);
    return (place) => toDate(first.add(span(place)));
  }
  const first = unit === "weeks" ? A_MONDAY : A_NEW_YEAR;
  return (place) => toDate(first.add(span(place)).toZonedDateTime(timeZone));
}

/** Whether there is an IANA time zone of this name. Intl knows others too, such as PST, in which time is not counted here. */
export function isTimeZone(name: string): boolean {
  try {
    zoned(new Date(0), name);
    return true;
  } catch {
    return false;
  }
}

/** The same time of day so many days later. */
export function plusDays(instant: Date, days: number, timeZone: string): Date {
  return toDate(zoned(instant, timeZone).add({ days }));
}

function zoned(instant: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
}

function toDate(time: Temporal.ZonedDateTime): Date {
  return new Date(time.epochMilliseconds);
}
