const HOUR_MS = 3_600_000;

/** A piece of an hour of one customer: from `start`, which it includes, to `end`, which it does not. */
export interface HourSlice {
  customerId: string;
  /** The hour that it is a piece of. */
  hour: Date;
  start: Date;
  end: Date;
}

/**
 * Cuts the hours of customers in which one of their `times`, or the time that is looked at, begins or ends: into slices in
 * which none does. Whole hours, and what is outside of the time that is looked at, are left out.
 */
export function hourSlices(
  customerIds: readonly string[],
  within: { start: Date | null; end: Date | null },
  times: readonly { customerId: string; start: Date; end: Date | null }[],
): HourSlice[] {
  const timesOf = Map.groupBy(times, (time) => time.customerId);
  return customerIds.flatMap((customerId) => {
    const edges = [within, ...(timesOf.get(customerId) ?? [])].flatMap(({ start, end }) => [start, end]);
    const cuts = edges.filter((edge) => edge !== null).filter((edge) => edge.getTime() % HOUR_MS !== 0);
    const hours = Map.groupBy(cuts.map(Number), (cut) => Math.floor(cut / HOUR_MS) * HOUR_MS);
    return [...hours]
      .flatMap(([hour, its]) => slicesOf(hour, its))
      .filter(({ start, end }) => !(within.start && start < within.start) && !(within.end && end > within.end))
      .map((slice) => ({ customerId, ...slice }));
  });
}

function slicesOf(hour: number, cuts: readonly number[]): Omit<HourSlice, "customerId">[] {
  const starts = [hour, ...new Set(cuts)].sort((a, b) => a - b);
  return starts.map((start, i) => ({
    hour: new Date(hour),
    start: new Date(start),
    end: new Date(starts[i + 1] ?? hour + HOUR_MS),
  }));
}
