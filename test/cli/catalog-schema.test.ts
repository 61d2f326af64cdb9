import { readFile } from "node:fs/promises";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { catalogSchema } from "../../cli/catalog/catalog-schema.ts";
import { writeCatalog } from "../../cli/catalog/write-catalog.ts";
import { demoCatalog } from "../../cli/demo/demo-catalog.ts";
import { anyCatalog } from "../support/any-catalog.ts";
import { catalog } from "../support/catalog.ts";
import { schemaProblems } from "../support/json-schema.ts";
import { usageCatalog } from "../support/usage-catalog.ts";
import { createHere } from "./run-here.ts";

const schema = catalogSchema();
const problems = (value: JsonValue) => schemaProblems(schema, value);
const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
const [, exampleOfReadme = ""] = /```yaml[^\n]*\n(metrics:[\s\S]*?)```/.exec(readme) ?? [];

describe("the JSON Schema of a catalog file", () => {
  test.each([
    ["the demo's catalog", demoCatalog],
    ["the README's example", exampleOfReadme],
    ["the first journey's catalog, as pull writes it", writeCatalog(catalog)],
    ["a catalog of every aggregation", writeCatalog(usageCatalog)],
    [
      "numbers without quotes",
      "plans: [{ key: a, currency: USD, period: MONTHLY, prices: [{ flat: { amount: 1.5 } }] }]",
    ],
    ["an empty catalog", "{}"],
  ])("takes %s", (_, text) => {
    expect(text).not.toBe("");
    expect(problems(parse(text))).toEqual([]);
  });

  const plan = { key: "pro", currency: "USD", period: "MONTHLY", prices: [{ key: "base", flat: { amount: "1" } }] };
  const priceOf = (price: JsonObject) => ({ plans: [{ ...plan, prices: [price] }] });
  const tiers = (...list: JsonObject[]) => priceOf({ key: "c", metric: "C", graduated: { tiers: list } });
  test.each<[string, JsonObject, string]>([
    ["an unknown field", { plans: [{ ...plan, keey: 1 }] }, "$.plans[0]: additionalProperties"],
    ["an unknown value", { metrics: [{ key: "A", aggregation: "AVERAGE" }] }, "$.metrics[0].aggregation: enum"],
    ["a metric without an aggregation", { metrics: [{ key: "A" }] }, "$.metrics[0]: required"],
    ["a plan without prices", { plans: [{ ...plan, prices: [] }] }, "$.plans[0].prices: minItems"],
    ["a plan without a currency", { plans: [{ ...plan, currency: "" }] }, "$.plans[0].currency: pattern"],
    ["a price without a model", priceOf({ key: "c" }), "$.plans[0].prices[0]: oneOf"],
    [
      "a price with two models",
      priceOf({ flat: { amount: 1 }, perUnit: { unitAmount: 1 } }),
      "$.plans[0].prices[0]: oneOf",
    ],
    ["a negative amount", tiers({ unitAmount: "-1" }), "$.plans[0].prices[0].graduated.tiers[0].unitAmount: pattern"],
    ["a negative number", tiers({ unitAmount: -1 }), "$.plans[0].prices[0].graduated.tiers[0].unitAmount: minimum"],
    ["no tiers", tiers(), "$.plans[0].prices[0].graduated.tiers: minItems"],
    ["a truth for text", { plans: [{ ...plan, name: true }] }, "$.plans[0].name: type"],
    ["a number for a key", { plans: [{ ...plan, key: 5 }] }, "$.plans[0].key: type"],
    ["a fraction for a count", { plans: [{ ...plan, version: 1.5 }] }, "$.plans[0].version: type"],
    [
      "a key that is too long",
      { metrics: [{ key: "A".repeat(65), aggregation: "SUM" }] },
      "$.metrics[0].key: maxLength",
    ],
  ])("underlines %s", (_, value, problem) => {
    expect(problems(value)).toEqual([problem]);
  });

  test("takes every catalog that pull can write", () => {
    fc.assert(
      fc.property(anyCatalog(), (catalog) => {
        expect(problems(parse(writeCatalog(catalog)))).toEqual([]);
      }),
    );
  });

  test("is printed by a command, without a server", { timeout: 60_000 }, async () => {
    const { run } = await createHere();
    const { code, stdout, stderr } = await run(["catalog", "schema"]);
    expect([code, stderr, JSON.parse(stdout)]).toEqual([0, "", schema]);
  });
});
