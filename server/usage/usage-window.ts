import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";
import { tileAt } from "../calendar.ts";

/** A piece of time: from `start`, which it includes, to `end`, which it does not. */
export interface UsageWindow {
  start: Date;
  end: Date;
}

/** The first edge after a time. */
export type NextEdge = (time: Date) => Date;

const HOUR_MS = 3_600_000;

/**
 * Cuts a span into windows at the edges that `nextEdge` answers, so that they tile it: the first and the last are shorter
 * where the span cuts them. Stops after `max`, so that a span of a thousand years costs no more than one that fits.
 */
export function cutSpan({ start, end }: UsageWindow, nextEdge: NextEdge, max: number): UsageWindow[] {
  const windows: UsageWindow[] = [];
  for (let from = start; from < end && windows.length < max; ) {
    const edge = nextEdge(from);
    const to = edge < end ? edge : end;
    windows.push({ start: from, end: to });
    from = to;
  }
  return windows;
}

/** The edges of an interval that needs no more to be known than a time zone: hours are always whole ones of UTC. */
export function edgesOf(interval: Exclude<UsageInterval, typeof UsageInterval.PERIOD>, timeZone: string): NextEdge {
  switch (interval) {
    case UsageInterval.HOUR:
      return (time) => new Date((Math.floor(time.getTime() / HOUR_MS) + 1) * HOUR_MS);
    case UsageInterval.DAY:
      return (time) => tileAt({ unit: "days", count: 1, timeZone, anchor: null }, time).end;
    case UsageInterval.MONTH:
      return (time) => tileAt({ unit: "months", count: 1, timeZone, anchor: null }, time).end;
    default:
      throw new Error("a series without an interval");
  }
}
