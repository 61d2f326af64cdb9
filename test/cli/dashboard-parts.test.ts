import { create, fromJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gridLines } from "../../cli/dashboard/grid.ts";
import { bindingOf, footerHints, KEYMAP } from "../../cli/dashboard/keymap.ts";
import { cells, fitted, plainText } from "../../cli/dashboard/line.ts";
import { emptyList, filtered, mergedNewest, moved, withItems } from "../../cli/dashboard/list-state.ts";
import { windowOf } from "../../cli/dashboard/list-window.ts";
import { percent } from "../../cli/dashboard/overview-lines.ts";
import { planLines } from "../../cli/dashboard/plan-lines.ts";
import { columns, grouped, sparkline } from "../../cli/dashboard/sparkline.ts";
import { type DashboardState, initialState, VIEWS } from "../../cli/dashboard/state.ts";
import { ago, digits } from "../../cli/dashboard/words.ts";
import { PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { TenantKind, TenantSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { DeliverySchema, type DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";

const SIZE = { columns: 80, rows: 24 };
const stateOf = (more: Partial<DashboardState> = {}): DashboardState => ({
  ...initialState(create(TenantSchema, { kind: TenantKind.TEST }), SIZE),
  ...more,
});

test("a window has the selected row, is as high as it may be, and stays within the list", () => {
  const place = fc.tuple(fc.nat({ max: 20_000 }), fc.nat({ max: 20_000 }), fc.nat({ max: 200 }));
  fc.assert(
    fc.property(place, ([count, selected, height]) => {
      const { start, end } = windowOf(count, selected, height);
      expect(end - start).toBe(Math.min(count, height));
      expect(start).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(count);
      if (selected < count && height > 0) expect(selected >= start && selected < end).toBe(true);
    }),
  );
});

test("of a list of 10,000 rows only those on the screen are looked at", () => {
  let looked = 0;
  const value = (row: number) => {
    looked++;
    return String(row);
  };
  const rows = Array.from({ length: 10_000 }, (_, at) => at);
  const lines = gridLines({
    columns: [{ title: "N", width: "rest", value }],
    rows,
    selected: 5_000,
    width: 20,
    height: 11,
  });
  expect(looked).toBe(10);
  expect(lines.map(plainText)[6]).toBe(`▸ ${"5000".padEnd(18)}`);
  expect(lines.filter(({ selected }) => selected)).toHaveLength(1);
});

test("a row is as wide as its place, however narrow, and with characters that are two cells wide", () => {
  const column = { title: "TITLE", value: (text: string) => text };
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 40, max: 120 }), (text, width) => {
      const wide = [
        { ...column, width: 30 },
        { ...column, width: "rest" as const },
      ];
      const lines = gridLines({ columns: wide, rows: [text], selected: 0, width, height: 3 });
      for (const one of lines) expect(cells(plainText(one))).toBe(width);
    }),
  );
  expect(fitted("日本語", 4)).toBe("日… ");
  expect(fitted("日本語", 6)).toBe("日本語");
  expect(fitted("abc", 5, true)).toBe("  abc");
});

test("columns stand to the largest, nothing is the base line, and little is more than nothing", () => {
  expect(sparkline([0, 1, 50, 100])).toBe("▁▂▅█");
  expect(sparkline([0, 0])).toBe("▁▁");
  expect(columns([0, 1, 8, 16], 2)).toEqual(["  ▁█", "▁▂██"]);
  expect(grouped([1, 2, 3, 4, 5], 2)).toEqual([3, 12]);
  expect(grouped([1, 2, 3], 10)).toEqual([1, 2, 3]);
});

test("each key does one thing in each view, and what the footer names can be done", () => {
  for (const { name } of VIEWS) {
    const state = stateOf({ view: name });
    for (const { keys, where } of KEYMAP) {
      for (const key of keys) {
        const doing = KEYMAP.filter((one) => one.keys.includes(key) && (one.where?.(state) ?? true));
        expect([name, key, doing.length <= 1]).toEqual([name, key, true]);
        if (where?.(state) ?? true) expect(bindingOf(state, key)).toBe(doing[0]);
      }
    }
    for (const width of [30, 58, 78]) {
      const hints = footerHints(state, width);
      expect(hints.slice(-2).map(({ label }) => label)).toEqual(["?", "q"]);
    }
  }
  expect(bindingOf(stateOf({ view: "clock" }), "a")?.action).toBe("advance");
  const live = create(TenantSchema, { kind: TenantKind.LIVE });
  expect(bindingOf(stateOf({ view: "clock", tenant: live }), "a")).toBeUndefined();
  expect(bindingOf(stateOf({ view: "plans" }), "r")).toBeUndefined();
});

const traits = { idOf: (id: string) => id, textOf: (id: string) => id };

test("the cursor stays on its item when a list grows, and at the top follows it", () => {
  const list = withItems(emptyList<string>(), ["c", "b", "a"], traits);
  expect(withItems(list, ["d", "c", "b", "a"], traits)).toMatchObject({ selected: 0 });
  const down = moved(list, 1);
  expect(withItems(down, ["e", "d", "c", "b", "a"], traits)).toMatchObject({ selected: 3 });
  expect(withItems(down, ["c"], traits)).toMatchObject({ selected: 0 });
  expect(moved(down, 100).selected).toBe(2);
  expect(moved(down, -100).selected).toBe(0);
});

test("a filter wants all of its words, and holds for what comes later", () => {
  const list = filtered(
    withItems(emptyList<string>(), ["ann paid", "bob paid", "ann void"], traits),
    "PAID ann",
    traits,
  );
  expect(list.shown).toEqual(["ann paid"]);
  expect(withItems(list, ["paid, ann again", ...list.items], traits).shown).toEqual(["paid, ann again", "ann paid"]);
  expect(filtered(list, "", traits).shown).toHaveLength(3);
});

test("news of what is known takes its place, and what is new comes first", () => {
  const one = (id: string, state: DeliveryState) => create(DeliverySchema, { id, state });
  const merged = mergedNewest([one("b", 1), one("a", 1)], [one("c", 1), one("a", 2)], { idOf: ({ id }) => id });
  expect(merged.map(({ id, state }) => `${id}${state}`)).toEqual(["c1", "b1", "a2"]);
});

test("a plan's tiers are drawn as stairs, and every model is told", () => {
  const plan = fromJson(PlanSchema, {
    ...{ key: "p", currency: "EUR", period: "PERIOD_MONTHLY", minimumAmount: "10", trialDays: 14, version: 3 },
    prices: [
      { key: "seat", flat: { amount: "5", perSeat: true, timing: "FLAT_TIMING_IN_ADVANCE" } },
      {
        key: "vol",
        metric: "M",
        volume: { tiers: [{ upTo: "1000", unitAmount: "0.02", flatAmount: "50" }, { unitAmount: "0.01" }] },
      },
      { key: "each", metric: "M", perUnit: { unitAmount: "1.5" }, includedQuantity: "5000", maximumAmount: "99" },
      { key: "cut", metric: "M", percentage: { percent: "2.9", fixedAmount: "0.30", freeEvents: 1 } },
    ],
  });
  expect(
    planLines(plan, 60)
      .map(plainText)
      .map((text) => text.trimEnd()),
  ).toEqual([
    "p  version 3",
    "EUR · monthly · 14 days of trial · at least 10 a period",
    "",
    "seat  flat fee",
    "  5 a seat, in advance",
    "",
    "vol  M · volume",
    "  up to 1,000 │██████████████████████ 0.02 each, and 50 once",
    "  above 1,000 │███████████            0.01 each",
    "",
    "each  M · per unit",
    "  1.5 each",
    "  the first 5,000 included, at most 99",
    "",
    "cut  M · percentage",
    "  2.9 % and 0.30 per event, the first 1 event free",
  ]);
  for (const line of planLines(plan, 40)) expect(cells(plainText(line))).toBeLessThanOrEqual(64);
});

test("numbers are readable, and no share is rounded to all or to nothing", () => {
  expect([digits("1234567.25"), digits("12"), digits("-1234")]).toEqual(["1,234,567.25", "12", "-1,234"]);
  expect([percent(9_999n, 10_000n), percent(1n, 1n), percent(0n, 3n), percent(1n, 3n)]).toEqual([
    "99.9",
    "100",
    "0.0",
    "33.3",
  ]);
  expect([ago(10_000, 0), ago(600_000, 0), ago(36_000_000, 0), ago(0, 5_000)]).toEqual([
    "10 s",
    "10 min",
    "10 h",
    "0 s",
  ]);
});
