// Events, deliveries and attempts are kept in partitions of a week each, by their ids: an id is a UUIDv7 and begins with the
// time at which it was made, in milliseconds, so a time is a boundary between ids. All of it is process time.

/** A day of retention. */
export const DAY_MS = 24 * 60 * 60 * 1_000;
/** What a partition spans. */
export const WEEK_MS = 7 * DAY_MS;
// 1970 began on a Thursday, and weeks begin on Mondays, at midnight UTC.
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Weeks that have their partitions before they come: as long may all workers be stopped, and nothing is felt of it. */
const WEEKS_AHEAD = 2;

/** The tables of the log, in the order in which fan-out locks them: most of what writes more than one is that. */
export const LOGS = ["outbox_event", "delivery", "delivery_attempt"] as const;
export type LogName = (typeof LOGS)[number];

/** A partition as the database describes it. Ids from `from`, included, to `to`, not included. */
export interface LogPartition {
  log: LogName;
  name: string;
  /** Empty: from the first. */
  from: string;
  to: string;
}

/** The start of the week in which a time is. */
export function weekOf(time: Date): Date {
  const sinceMonday = (time.getTime() - FIRST_MONDAY_MS) % WEEK_MS;
  return new Date(time.getTime() - ((sinceMonday + WEEK_MS) % WEEK_MS));
}

/** The least id that can be made at a time: all that were made before are smaller. */
export function idBoundary(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** A partition by the database's own description of its bounds. Undefined: the one for all the rest. */
export function readPartition(log: LogName, name: string, bounds: string): LogPartition | undefined {
  const [, from = "", to = ""] = /^FOR VALUES FROM \((?:MINVALUE|'([^']+)')\) TO \('([^']+)'\)$/.exec(bounds) ?? [];
  return to === "" ? undefined : { log, name, from, to };
}

/** Starts of the weeks from now on for which a table has no partition: this one and the next. */
export function weeksToMake(now: Date, partitions: readonly LogPartition[]): Date[] {
  const first = weekOf(now).getTime();
  const weeks = Array.from({ length: 1 + WEEKS_AHEAD }, (_, index) => new Date(first + index * WEEK_MS));
  return weeks.filter((week) => {
    const [start, end] = [idBoundary(week), idBoundary(new Date(week.getTime() + WEEK_MS))];
    const there = partitions.filter(({ from, to }) => from < end && to > start);
    return LOGS.some((log) => there.every((one) => one.log !== log));
  });
}

/** Partitions of which every row was made at least `days` ago: the oldest first, and those of a week in the order of the tables. */
export function partitionsToDrop(now: Date, days: number, partitions: readonly LogPartition[]): LogPartition[] {
  const kept = idBoundary(new Date(now.getTime() - days * DAY_MS));
  const inOrder = LOGS.flatMap((log) => partitions.filter((one) => one.log === log && one.to <= kept));
  return inOrder.sort((a, b) => (a.to === b.to ? 0 : a.to < b.to ? -1 : 1));
}
