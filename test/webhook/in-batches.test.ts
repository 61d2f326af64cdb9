import { describe, expect, test } from "vitest";
import { inBatches } from "../../server/webhook/in-batches.ts";

const noPause = () => Promise.resolve();

describe("inBatches", () => {
  test("does together what is asked for in the pause and while the batch before is under way", async () => {
    const batches: number[][] = [];
    const first = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const work = async (items: readonly number[]) => {
      batches.push([...items]);
      if (batches.length > 1) return items.length;
      begun.resolve();
      await first.promise;
      return items.length;
    };
    const one = inBatches(work, noPause);
    const early = [one(1), one(2)];
    await begun.promise;
    const late = [one(3), one(4), one(5)];
    first.resolve();
    expect(await Promise.all(early)).toEqual([2, 2]);
    expect(await Promise.all(late)).toEqual([3, 3, 3]);
    expect(batches).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  test("tells of a failure to those of the batch, and goes on", async () => {
    const one = inBatches(async (items: readonly string[]) => {
      if (items.includes("bad")) throw new Error("no");
      return items.length;
    }, noPause);
    const failing = [one("bad"), one("beside it")];
    expect(await Promise.allSettled(failing)).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
    expect(await one("good")).toBe(1);
  });
});
