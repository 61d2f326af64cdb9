import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal } from "../../server/money.ts";
import { rate } from "../../server/pricing/rate.ts";
import { volumeCliffs } from "../../server/pricing/volume-cliff.ts";

function catalogOf(tiers: JsonObject[], terms: JsonObject = {}, model = "volume") {
  const price = { key: "p", metric: "M", [model]: { tiers }, ...terms };
  return fromJson(CatalogSchema, { plans: [{ key: "fee" }, { key: "pro", currency: "USD", prices: [price] }] });
}

const cliff = [
  { upTo: "200", unitAmount: "1" },
  { unitAmount: "0.5", flatAmount: "50" },
];
const of = async (tiers: JsonObject[], terms?: JsonObject, model?: string) =>
  (await volumeCliffs(catalogOf(tiers, terms, model))).map((one) => one.message);

describe("volumeCliffs", () => {
  test("names the tier from which a larger quantity costs less, and both amounts", async () => {
    expect(await volumeCliffs(catalogOf(cliff))).toMatchObject([
      {
        field: "catalog.plans[1].prices[0].volume.tiers[1]",
        message: "a larger quantity costs less: 200 costs 200, and just more than that 150",
      },
    ]);
  });

  test.each<[string, Promise<string[]>]>([
    ["graduated tiers have none", of(cliff, {}, "graduated")],
    ["nor has a step up", of([{ upTo: "200", unitAmount: "1" }, { unitAmount: "2" }])],
    ["nor the same amount on both sides", of([{ upTo: "10", flatAmount: "5" }, { unitAmount: "0.5" }])],
    ["nor what a maximum makes even", of(cliff, { maximumAmount: "150" })],
    ["nor what a minimum makes even", of(cliff, { minimumAmount: "200" })],
  ])("%s", async (_, messages) => {
    expect(await messages).toEqual([]);
  });

  test("counts what is included, and holds minimum and maximum", async () => {
    expect(await of(cliff, { includedQuantity: "100", minimumAmount: "160", maximumAmount: "180" })).toEqual([
      "a larger quantity costs less: 300 costs 180, and just more than that 160",
    ]);
  });

  test("warns exactly where a little more costs less", async () => {
    const amount = fc.nat({ max: 20 }).map(String);
    const list = fc.array(fc.record({ unitAmount: amount, flatAmount: amount }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(list, async (tiers) => {
        const bounded = tiers.map((tier, i) => ({ ...tier, upTo: i + 1 < tiers.length ? `${(i + 1) * 10}` : "" }));
        const catalog = catalogOf(bounded);
        const price = catalog.plans[1]?.prices[0];
        const cost = (quantity: string) => price && rate(price, decimal(quantity), "USD").exact;
        const falls = tiers.flatMap((_, i) => {
          const [at, above] = [cost(`${i * 10}`), cost(`${i * 10}.000000000001`)];
          const isLess = i > 0 && at && above?.lt(at.minus(decimal("0.000001"))); // above is a little more than the bound
          return isLess ? [`catalog.plans[1].prices[0].volume.tiers[${i}]`] : [];
        });
        expect((await volumeCliffs(catalog)).map((one) => one.field)).toEqual(falls);
      }),
    );
  });
});
