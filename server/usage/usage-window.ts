import { UsageInterval } from "../../gen/usageflow/v1/usage_pb.ts";

/** A piece of time: from `start`, which it includes, to `end`, which it does not. */
export interface UsageWindow {
  start: Date;
  end: Date;
}

/**
 * Cuts a span into windows at the edges of an interval, so that they tile it: the first and the last are shorter where the
 * span cuts them. Stops after `max`, so that a span of a thousand years costs no more than one that fits.
 */
export function cutSpan({ start, end }: UsageWindow, interval: UsageInterval, max: number): UsageWindow[] {
  const windows: UsageWindow[] = [];
  for (let from = start; from < end && windows.length < max; ) {
    const edge = nextEdge(from, interval);
    const to = edge < end ? edge : end;
    windows.push({ start: from, end: to });
    from = to;
  }
  return windows;
}

/** The first edge of the interval after a time. */
function nextEdge(time: Date, interval: UsageInterval): Date {
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()];
  switch (interval) {
    case UsageInterval.HOUR:
      return new Date(Date.UTC(year, month, day, time.getUTCHours() + 1));
    case UsageInterval.DAY:
      return new Date(Date.UTC(year, month, day + 1));
    case UsageInterval.MONTH:
    case UsageInterval.PERIOD:
      return new Date(Date.UTC(year, month + 1));
    default:
      throw new Error("a series without an interval");
  }
}
