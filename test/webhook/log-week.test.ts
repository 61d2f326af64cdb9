import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newId } from "../../server/id.ts";
import {
  idBoundary,
  LOGS,
  type LogPartition,
  partitionsToDrop,
  readPartition,
  weekOf,
  weeksToMake,
} from "../../server/webhook/log-week.ts";

const DAY = 86_400_000;
const times = fc.date({ min: new Date("2000-01-01"), max: new Date("2200-01-01"), noInvalidDate: true });

/** An id as one is made at a time: version 7, and what is random in it. */
const idAt = (time: Date) => idBoundary(time).slice(0, 14) + newId().slice(14);

const partitionsOf = (week: Date): LogPartition[] =>
  LOGS.map((log) => ({
    log,
    name: `${log}_${week.getTime()}`,
    from: idBoundary(week),
    to: idBoundary(new Date(week.getTime() + 7 * DAY)),
  }));

describe("a boundary between ids", () => {
  test("parts those that were made before a time from those that were made at it and later", () => {
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 400 * DAY }), (time, ms) => {
        expect(idAt(time) >= idBoundary(time)).toBe(true);
        expect(idAt(new Date(time.getTime() + ms)) > idBoundary(time)).toBe(true);
        expect(idAt(new Date(time.getTime() - ms)) < idBoundary(time)).toBe(true);
      }),
    );
  });

  test("is that of the ids that the server makes", () => {
    const before = new Date();
    const id = newId();
    expect(id >= idBoundary(before)).toBe(true);
    expect(id < idBoundary(new Date(Date.now() + 1_000))).toBe(true);
  });
});

describe("weeks", () => {
  test("begin on Mondays at midnight UTC, and hold each time once", () => {
    expect(weekOf(new Date("2026-11-23T00:00:00Z"))).toEqual(new Date("2026-11-23T00:00:00Z"));
    expect(weekOf(new Date("2026-11-22T23:59:59.999Z"))).toEqual(new Date("2026-11-16T00:00:00Z"));
    expect(weekOf(new Date("1969-12-30T12:00:00Z"))).toEqual(new Date("1969-12-29T00:00:00Z"));
    fc.assert(
      fc.property(times, (time) => {
        const week = weekOf(time);
        expect(week.getUTCDay()).toBe(1);
        expect(week.getTime() % DAY).toBe(0);
        const since = time.getTime() - week.getTime();
        expect(since >= 0 && since < 7 * DAY).toBe(true);
      }),
    );
  });

  test("are made until at least 14 days lie ahead, without gap or overlap, and then no more", () => {
    fc.assert(
      fc.property(times, (now) => {
        const made = weeksToMake(now, []).flatMap(partitionsOf);
        const deliveries = made.filter(({ log }) => log === "delivery");
        for (const [index, one] of deliveries.entries()) expect(one.from).toBe(deliveries[index - 1]?.to ?? one.from);
        expect(idAt(now) >= (deliveries[0]?.from ?? "")).toBe(true);
        expect(idAt(new Date(now.getTime() + 14 * DAY - 1)) < (deliveries.at(-1)?.to ?? "")).toBe(true);
        expect(weeksToMake(now, made)).toEqual([]);
        expect(weeksToMake(now, made.slice(1))).toHaveLength(1);
      }),
    );
  });

  test("are not made where a partition that spans more is there already", () => {
    const now = new Date("2026-11-23T06:00:00Z");
    const first = LOGS.map((log) => ({ log, name: `${log}_first`, from: "", to: idBoundary(weekOf(now)) }));
    expect(weeksToMake(now, first)).toHaveLength(3);
    const longer = first.map((one) => ({ ...one, to: idBoundary(new Date("2026-11-30")) }));
    expect(weeksToMake(now, longer)).toEqual([new Date("2026-11-30"), new Date("2026-12-07")]);
  });
});

test("no partition is dropped while it could have a row that is younger than it is kept, and each is a week later", () => {
  fc.assert(
    fc.property(
      times,
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 0, max: 7 * DAY - 1 }),
      (made, days, into) => {
        const week = weekOf(made);
        const partitions = partitionsOf(week);
        const kept = new Date(week.getTime() + into + days * DAY);
        expect(partitionsToDrop(kept, days, partitions)).toEqual([]);
        const later = new Date(week.getTime() + (7 + days) * DAY);
        expect(partitionsToDrop(later, days, partitions.toReversed())).toEqual(partitions);
      },
    ),
  );
});

test("partitions are read as the database describes them", () => {
  const [from, to] = ["01a205b3-d000-0000-0000-000000000000", "01a229c0-5400-0000-0000-000000000000"];
  const one = { log: "delivery", name: "delivery_1" } as const;
  const read = (bounds: string) => readPartition(one.log, one.name, bounds);
  expect(read(`FOR VALUES FROM ('${from}') TO ('${to}')`)).toEqual({ ...one, from, to });
  expect(read(`FOR VALUES FROM (MINVALUE) TO ('${to}')`)).toEqual({ ...one, from: "", to });
  expect(read("DEFAULT")).toBeUndefined();
});
