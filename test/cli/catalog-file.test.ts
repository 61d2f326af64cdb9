import { create, equals } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCatalog } from "../../cli/catalog/catalog-file.ts";
import { writeCatalog } from "../../cli/catalog/write-catalog.ts";
import { CliError } from "../../cli/cli-error.ts";
import { demoCatalog } from "../../cli/demo/demo-catalog.ts";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Aggregation, Alignment, CatalogSchema, Period } from "../../gen/usageflow/v1/pricing_pb.ts";
import { invalid } from "../../server/rpc/errors.ts";
import { catalog } from "../support/catalog.ts";

function problemsOf(text: string): string[] {
  try {
    parseCatalog(text, "c.yaml");
  } catch (error) {
    if (error instanceof CliError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("a catalog file", () => {
  test("is the contract's message, with enumerations without their prefix", () => {
    expect(equals(CatalogSchema, parseCatalog(demoCatalog, "c.yaml").catalog, catalog)).toBe(true);
  });

  test("may be JSON, with names as the contract writes them", () => {
    const text = JSON.stringify({
      metrics: [{ key: "SEATS", aggregation: "AGGREGATION_UNIQUE", unique_property: "seat" }],
      default_plan: "pro",
    });
    expect(parseCatalog(text, "c.json").catalog).toMatchObject({
      metrics: [{ key: "SEATS", aggregation: Aggregation.UNIQUE, uniqueProperty: "seat" }],
      defaultPlan: "pro",
    });
  });

  test("keeps the digits of a number without quotes", () => {
    const text = "plans: [{ prices: [{ perUnit: { unitAmount: 0.100000000000000001 } }] }]";
    const [price] = parseCatalog(text, "c.yaml").catalog.plans[0]?.prices ?? [];
    expect(price?.model.value).toMatchObject({ unitAmount: "0.100000000000000001" });
  });

  test("may name a part once and use it again", () => {
    const text = "plans:\n  - prices: &p [{ key: base, flat: { amount: '1' } }]\n  - prices: *p\n";
    const [first, second] = parseCatalog(text, "c.yaml").catalog.plans;
    expect(second?.prices).toEqual(first?.prices);
  });

  test.each([
    [
      "an unknown field",
      "plans:\n  - keey: pro",
      "c.yaml:2:5: plans[0].keey: there is no such field; allowed here: key, name, currency, period, prices, version, minimumAmount, alignment, trialDays",
    ],
    [
      "an unknown value",
      "metrics:\n  - { aggregation: sum }",
      'c.yaml:2:20: metrics[0].aggregation: "sum" is not allowed; allowed: SUM, COUNT, MAX, UNIQUE, LATEST, WEIGHTED_SUM',
    ],
    [
      "two models",
      "plans: [{ prices: [{ flat: { amount: 1 }, perUnit: {} }] }]",
      "c.yaml:1:43: plans[0].prices[0].perUnit: there is flat already; only one of the two is allowed",
    ],
    ["a mapping for a list", "metrics: { key: A }", "c.yaml:1:10: metrics: must be a list"],
    ["a list for a mapping", "- metrics", "c.yaml:1:1: must be a mapping; allowed in it: metrics, plans, defaultPlan"],
    ["a truth for text", "metrics: [{ name: true }]", "c.yaml:1:19: metrics[0].name: must be text; put it in quotes"],
    ["a fraction for a version", "plans: [{ version: 1.5 }]", "c.yaml:1:20: plans[0].version: must be a whole number"],
    ["an unknown alias", "metrics: *all", "c.yaml:1:10: metrics: there is no &all before this"],
    [
      "broken YAML",
      "metrics: [",
      "c.yaml:1:11: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    ["a field twice", "metrics: []\nmetrics: []", "c.yaml:2:1: Map keys must be unique"],
    [
      "a field under both its names",
      "defaultPlan: a\ndefault_plan: b",
      "c.yaml:2:1: defaultPlan: there is defaultPlan already; only one of the two is allowed",
    ],
    [
      "two documents",
      "metrics: []\n---\nplans: []",
      "c.yaml:2:1: the file is one document, and here a second one begins",
    ],
    ["nothing", "# later\n", "c.yaml:1:1: the file is empty"],
  ])("refuses %s, with its place", (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test("tells all its problems at once", () => {
    expect(problemsOf("metrics: [{ a: 1 }, { b: 1 }]\nplans: 5")).toHaveLength(3);
  });

  test("whatever it holds, is a catalog or refused with a place", () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.string().map((junk) => demoCatalog.replace("SUM", junk)),
    );
    fc.assert(
      fc.property(text, (junk) => {
        for (const problem of problemsOf(junk)) expect(problem).toMatch(/^c\.yaml:\d+:\d+: |^and \d+ more$/);
      }),
    );
  });
});

describe("a refusal by the server", () => {
  const { placed } = parseCatalog(demoCatalog, "c.yaml");
  const message = (field: string) => (placed(invalid(field, `${field}: is wrong`)) as Error).message;

  test("is told with the line of the field", () => {
    const error = placed(
      invalid("catalog.plans[0].prices[1].graduated.tiers[1].up_to", "must grow", ErrorReason.INVALID_CATALOG),
    );
    expect(error).toMatchObject({
      message: "c.yaml:17:23: plans[0].prices[1].graduated.tiers[1].upTo: must grow",
      facts: { reason: "INVALID_CATALOG" },
    });
  });

  test("is told with the line of what a missing field belongs to", () => {
    expect(message("catalog.plans[0].prices[2].package.per")).toMatch(/^c\.yaml:19:69: .*package\.per: is wrong$/);
    expect(message("catalog.plans[7].key")).toBe("c.yaml:5:3: plans[7].key: is wrong");
    expect(message("catalog")).toBe("c.yaml:1:1: is wrong");
  });

  test("that is about something else stays as it is", () => {
    const other = invalid("page_token", "no");
    expect(placed(other)).toBe(other);
  });
});

describe("a catalog that is written", () => {
  test("is the file that a person would write", () => {
    const text = writeCatalog(
      create(CatalogSchema, {
        metrics: [{ key: "API_CALL", aggregation: Aggregation.SUM }],
        plans: [
          {
            key: "pro",
            currency: "USD",
            period: Period.MONTHLY,
            version: 3,
            prices: [{ key: "base", model: { case: "flat", value: { amount: "20.00" } } }],
          },
        ],
      }),
    );
    expect(text).toBe(`\
metrics:
  - { key: API_CALL, aggregation: SUM }
plans:
  - key: pro
    currency: USD
    period: MONTHLY
    version: 3
    prices:
      - key: base
        flat: { amount: "20.00" }
`);
  });

  test("is read as the same catalog", () => {
    expect(equals(CatalogSchema, parseCatalog(writeCatalog(catalog), "c.yaml").catalog, catalog)).toBe(true);
  });

  test("keeps how a plan cuts time", () => {
    const period = fc.constantFrom(Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY);
    const alignment = fc.constantFrom(Alignment.UNSPECIFIED, Alignment.CALENDAR, Alignment.ANNIVERSARY);
    fc.assert(
      fc.property(period, alignment, fc.nat({ max: 730 }), (period, alignment, trialDays) => {
        const one = create(CatalogSchema, { plans: [{ key: "pro", currency: "USD", period, alignment, trialDays }] });
        expect(equals(CatalogSchema, parseCatalog(writeCatalog(one), "c.yaml").catalog, one)).toBe(true);
      }),
    );
  });

  test("has lists of values on one line", () => {
    const text = `\
metrics:
  - { key: CALL, aggregation: SUM, dimensions: [ region, model ] }
  - { key: DISK, aggregation: WEIGHTED_SUM, carryOver: true }
plans:
  - key: pro
    currency: USD
    period: MONTHLY
    prices:
      - key: calls
        metric: CALL
        perUnit: { unitAmount: "1" }
        filter:
          - property: region
            in: { values: [ eu, "" ] }
          - { property: model, exists: false }
        groupBy: [ model ]
      - key: rest
        metric: CALL
        perUnit: { unitAmount: "2" }
        filter:
          - { property: region, equals: "" }
`;
    expect(writeCatalog(parseCatalog(text, "c.yaml").catalog)).toBe(text);
  });

  test("keeps every name, whatever YAML would take it for", () => {
    const name = fc.oneof(fc.string(), fc.constantFrom("no", "1.0", "null", "~", "*a", "- b", "a: b", "#", " "));
    fc.assert(
      fc.property(name, (name) => {
        const one = create(CatalogSchema, { metrics: [{ key: "A", name, aggregation: Aggregation.SUM }] });
        expect(parseCatalog(writeCatalog(one), "c.yaml").catalog.metrics[0]?.name).toBe(name);
      }),
    );
  });
});
