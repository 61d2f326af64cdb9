import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaults, readConfig } from "../../server/config.ts";
import { nextDelayMs } from "../../server/webhook/retry-schedule.ts";

const schedules = fc.array(fc.nat({ max: 100_000_000 }), { minLength: 1, maxLength: 20 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("nextDelayMs", () => {
  test("is never earlier than the schedule says, and at most 20 % later", () => {
    fc.assert(
      fc.property(schedules, random, fc.nat(), (schedule, chance, any) => {
        const attempts = any % schedule.length;
        const said = schedule[attempts] as number;
        const delay = nextDelayMs(schedule, attempts, chance) as number;
        expect(delay).toBeGreaterThanOrEqual(said);
        expect(delay).toBeLessThanOrEqual(Math.round(said * 1.2));
        expect(Number.isInteger(delay)).toBe(true);
      }),
    );
  });

  test("is undefined when the schedule is used up", () => {
    fc.assert(
      fc.property(schedules, random, fc.nat({ max: 100 }), (schedule, chance, more) => {
        expect(nextDelayMs(schedule, schedule.length + more, chance)).toBeUndefined();
      }),
    );
  });

  test("sends at once where the schedule says so, whatever the chance", () => {
    fc.assert(
      fc.property(random, (chance) => {
        expect(nextDelayMs([0], 0, chance)).toBe(0);
      }),
    );
  });

  test("bridges a weekend by default", () => {
    const delays = defaults.deliveryScheduleMs.map((_, attempts) =>
      nextDelayMs(defaults.deliveryScheduleMs, attempts, 0),
    );
    const hours = delays.reduce<number>((sum, delay) => sum + (delay as number), 0) / 3_600_000;
    expect(hours).toBeGreaterThan(72);
  });
});

describe("USAGEFLOW_RETRY_SCHEDULE_SECONDS", () => {
  const key = () => randomBytes(32).toString("base64");
  const env = {
    DATABASE_URL: "postgres:",
    USAGEFLOW_WORKER_DATABASE_URL: "postgres:",
    USAGEFLOW_MASTER_KEY: key(),
    USAGEFLOW_KEY_PEPPER: key(),
  };

  test("is the waits after the first, second and third failure", () => {
    expect(readConfig({ ...env, USAGEFLOW_RETRY_SCHEDULE_SECONDS: "1,60" }).deliveryScheduleMs).toEqual([
      0, 1_000, 60_000,
    ]);
    expect(readConfig(env).deliveryScheduleMs).toEqual(defaults.deliveryScheduleMs);
  });

  test.each(["1s", "1,,2", "-1", "1.5", "soon"])("is refused when it is %s", (value) => {
    expect(() => readConfig({ ...env, USAGEFLOW_RETRY_SCHEDULE_SECONDS: value })).toThrow("whole numbers of seconds");
  });
});
