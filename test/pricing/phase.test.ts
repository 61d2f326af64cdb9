import { describe, expect, test } from "vitest";
import { type PhaseRow, seatsOf } from "../../server/pricing/phase.ts";

const day = (of: number) => new Date(Date.UTC(2015, 4, of));

/** Phases in words: `pro 3 @1` is 3 seats of `pro` from 1 May on. */
function phases(...words: string[]): PhaseRow[] {
  return words.map((one, i) => {
    const [plan_key = "", quantity, at = ""] = one.split(" ");
    const start_at = day(Number(at.slice(1)));
    return {
      tenant_id: "",
      subscription_id: "",
      position: i + 1,
      start_at,
      plan_key,
      plan_version: 1,
      quantity: Number(quantity),
    };
  });
}

/** Seats of `plan` from one day of May to another: `3 @1-10`. */
function seats(of: PhaseRow[], plan: string, from: number, to: number): string[] {
  const spans = seatsOf(of, { start: day(from), end: day(to), plan_key: plan, plan_version: 1 });
  return spans.map(({ start, end, quantity }) => `${quantity} @${start.getUTCDate()}-${end.getUTCDate()}`);
}

describe("seatsOf", () => {
  test.each([
    ["one phase that goes on", ["pro 3 @1"], ["3 @1-31"]],
    ["one that began before", ["pro 2 @0", "pro 3 @1"], ["3 @1-31"]],
    ["other seats within", ["pro 3 @1", "pro 5 @10", "pro 4 @20"], ["3 @1-10", "5 @10-20", "4 @20-31"]],
    ["other seats after", ["pro 3 @1", "pro 5 @31"], ["3 @1-31"]],
    ["twice in one second", ["pro 3 @1", "pro 5 @10", "pro 4 @10"], ["3 @1-10", "4 @10-31"]],
    ["there and back", ["pro 3 @1", "pro 5 @10", "pro 3 @10"], ["3 @1-31"]],
    ["another plan within", ["pro 3 @1", "team 3 @10"], ["3 @1-10"]],
    ["another plan, and this one again", ["pro 3 @1", "team 3 @10", "pro 3 @20"], ["3 @1-10"]],
    ["both in one second: the period was cut", ["pro 3 @1", "team 3 @10", "pro 3 @10"], ["3 @1-10"]],
    ["another plan in the period's first second", ["pro 3 @1", "team 3 @1"], []],
    ["an end within", ["pro 3 @1", "pro 0 @10"], ["3 @1-10"]],
    ["an end in the period's first second", ["pro 3 @1", "pro 0 @1"], []],
    ["none", [], []],
  ])("of a period with %s", (_, words, spans) => {
    expect(seats(phases(...words), "pro", 1, 31)).toEqual(spans);
  });

  test("of a period that begins where the plan was come back to are those from there on", () => {
    const moved = phases("pro 3 @1", "team 3 @10", "pro 4 @20");
    expect(seats(moved, "pro", 20, 31)).toEqual(["4 @20-31"]);
    expect(seats(moved, "team", 10, 31)).toEqual(["3 @10-20"]);
  });
});
