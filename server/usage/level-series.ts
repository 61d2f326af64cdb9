import Big from "big.js";
import { type Decimal, decimal, plain, zero } from "../money.ts";
import type { UsageWindow } from "./usage-window.ts";

// Rounds once, half away from zero, to the 12 digits that a quantity may have after the point.
const Average = Big();
Average.strict = true;
Average.DP = 12;
Average.RM = Big.roundHalfUp;

/** How a level changed in a window. */
export interface LevelChange {
  /** What it changed by. */
  change: string;
  /** What its changes come to by the end of the window, each times the seconds since. */
  levelSeconds: string;
}

/**
 * The average of a level in each window of a series, and over all of them. `before` is what it was where the series begins,
 * if it is carried over; else each window begins at 0, and so does the series as a whole.
 */
export function levelSeries(
  windows: readonly UsageWindow[],
  changeIn: (place: number) => LevelChange | undefined,
  before: string | undefined,
): { points: string[]; total: string } {
  let level = decimal(before ?? "0");
  let all = zero;
  let length = zero;
  const points = windows.map((window, i) => {
    const { change, levelSeconds } = changeIn(i + 1) ?? { change: "0", levelSeconds: "0" };
    const seconds = secondsOf(window);
    const own = decimal(levelSeconds);
    const carried = own.plus(level.times(seconds));
    level = level.plus(decimal(change));
    all = all.plus(carried);
    length = length.plus(seconds);
    return average(before === undefined ? own : carried, seconds);
  });
  return { points, total: average(all, length) };
}

function secondsOf({ start, end }: UsageWindow): Decimal {
  return decimal(String(end.getTime() - start.getTime())).times(decimal("0.001"));
}

function average(levelTimesSeconds: Decimal, seconds: Decimal): string {
  return plain(new Average(levelTimesSeconds).div(seconds));
}
