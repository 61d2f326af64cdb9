import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { InvoiceKind } from "../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema, PlanSchema } from "../gen/usageflow/v1/pricing_pb.ts";
import { cutByWeight } from "../server/cut-by-weight.ts";
import { withinTime } from "../server/db/call-time.ts";
import { inPieces } from "../server/give-way.ts";
import { draftLines } from "../server/invoice/draft-lines.ts";
import { catalogDiff } from "../server/pricing/catalog-diff.ts";
import { checkCatalog } from "../server/pricing/check-catalog.ts";
import { volumeCliffs } from "../server/pricing/volume-cliff.ts";

/** Turns of the event loop that others have while work goes on. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const turn = () => {
    turns += 1;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  over = true;
  return turns;
}

/** A piece that is long enough to give way after it, on any machine. */
function longPiece(): void {
  const begunAt = performance.now();
  while (performance.now() - begunAt < 20);
}

describe("inPieces", () => {
  test("lets others have a turn after each piece that took long", async () => {
    expect(await turnsDuring(() => inPieces([1, 2, 3, 4], longPiece))).toBeGreaterThanOrEqual(3);
  });

  test("keeps the order of what it is given", async () => {
    const many = Array.from({ length: 10 }, (_, n) => n);
    expect(await inPieces(many, (n, place) => [n, place])).toEqual(many.map((n) => [n, n]));
  });

  test("lets one go on in a turn, in the order in which they gave way", async () => {
    const pieces: string[] = [];
    let turn = 0;
    const count = () => void (++turn < 100 && setImmediate(count));
    setImmediate(count);
    const turns = new Set<number>();
    const piece = (name: string) => {
      longPiece();
      pieces.push(name);
      turns.add(turn);
    };
    longPiece();
    await Promise.all(["a", "b", "c"].map((name) => inPieces([1, 2, 3], () => piece(name))));
    expect(pieces.join("")).toBe("abcabcabc");
    expect(turns.size).toBe(9);
  });

  test("ends the work of a call that is over", async () => {
    const done: number[] = [];
    const over = new Error("over");
    const time = { leftMs: () => 1, over: () => (done.length === 2 ? over : undefined) };
    const work = (n: number) => {
      longPiece();
      done.push(n);
    };
    await expect(withinTime(time, () => inPieces([1, 2, 3, 4], work))).rejects.toBe(over);
    expect(done).toEqual([1, 2]);
  });
});

describe("others have their turn while", () => {
  const tiers = Array.from({ length: 100 }, (_, i) => ({ unitAmount: "1", ...(i < 99 ? { upTo: `${i + 1}` } : {}) }));
  const prices = Array.from({ length: 100 }, (_, i) => ({ key: `p${i}`, metric: "M", volume: { tiers } }));
  const plan: JsonObject = { currency: "USD", period: "PERIOD_MONTHLY", prices };
  const catalog = fromJson(CatalogSchema, {
    metrics: [{ key: "M", aggregation: "AGGREGATION_SUM" }],
    plans: Array.from({ length: 8 }, (_, i) => ({ key: `plan${i}`, ...plan })),
  });
  const none = { metrics: new Map(), plans: new Map(), defaultPlan: "" };

  test.each<[string, () => Promise<unknown>]>([
    ["a catalog is checked", () => checkCatalog(catalog, { metrics: new Map(), plans: new Set() })],
    ["a catalog is compared with what is published", () => catalogDiff(catalog, none)],
    ["volume cliffs are looked for", () => volumeCliffs(catalog)],
    [
      "the lines of many groups of usage are worked out",
      () => {
        const one = fromJson(PlanSchema, { ...plan, key: "pro", prices: prices.slice(0, 1) });
        const usage = Array.from({ length: 10_000 }, (_, i) => ({ quantity: `${i}`, unit: "" }));
        return draftLines(create(PlanSchema, one), InvoiceKind.IN_ARREARS, () => usage);
      },
    ],
  ])("%s", async (_, work) => {
    expect(await turnsDuring(work)).toBeGreaterThan(1);
  });
});

test.each<[number[], number[][]]>([
  [[], []],
  [
    [3, 3, 3, 3],
    [
      [3, 3],
      [3, 3],
    ],
  ],
  [
    [5, 2, 6, 1],
    [
      [5, 2],
      [6, 1],
    ],
  ],
  [
    [9, 1, 1],
    [[9], [1, 1]],
  ],
  [
    [1, 9, 1],
    [[1], [9], [1]],
  ],
  [
    [7, 7],
    [[7], [7]],
  ],
])("what weighs %j is cut into %j, of which none weighs more than 7 but one alone", (items, runs) => {
  expect(cutByWeight(items, 7, (item) => item)).toEqual(runs);
});
