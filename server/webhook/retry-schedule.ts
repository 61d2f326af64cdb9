// Deliveries that failed together, because a receiver was down, should not come back together.
const JITTER = 0.2;

/**
 * How long to wait before the next attempt, or undefined when the schedule is used up. `schedule` has the wait before
 * each attempt, `attempts` is how many were made, `random` is from [0, 1) and adds up to 20 %: never earlier than said.
 */
export function nextDelayMs(schedule: readonly number[], attempts: number, random: number): number | undefined {
  const delay = schedule[attempts];
  return delay === undefined ? undefined : Math.round(delay * (1 + JITTER * random));
}
