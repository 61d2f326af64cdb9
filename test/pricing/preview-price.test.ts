import { describe, expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { type Harness, setup } from "../support/harness.ts";
import { connectJson } from "../support/wire.ts";

const PATH = "/usageflow.v1.PricingService/PreviewPrice";
const tiers = [{ upTo: "100", unitAmount: "0.05" }, { unitAmount: "0.03" }];
const body = { currency: "USD", price: { graduated: { tiers } }, quantity: "150" };

const refusals: [what: string, request: object, field: string, reason: string][] = [
  ["no price", { currency: "USD" }, "price", "INVALID_FIELD"],
  ["no model", { ...body, price: { key: "a" } }, "price.model", "INVALID_FIELD"],
  ["no currency", { ...body, currency: "" }, "currency", "INVALID_FIELD"],
  ["a currency that does not exist", { ...body, currency: "ZZZ" }, "currency", "INVALID_CATALOG"],
  ["a negative quantity", { ...body, quantity: "-1" }, "quantity", "INVALID_FIELD"],
  ["a quantity in scientific form", { ...body, quantity: "1e3" }, "quantity", "INVALID_FIELD"],
  ["a quantity of 13 decimals", { ...body, quantity: "0.0000000000001" }, "quantity", "INVALID_FIELD"],
  ["amounts of events for tiers", { ...body, eventAmounts: ["1"] }, "event_amounts", "INVALID_FIELD"],
  ["a quantity for a percentage", { ...body, price: { percentage: { percent: "1" } } }, "quantity", "INVALID_FIELD"],
  [
    "a negative amount of an event",
    { currency: "USD", price: { percentage: { percent: "1" } }, eventAmounts: ["1", "-1"] },
    "event_amounts[1]",
    "INVALID_FIELD",
  ],
  [
    "tiers out of order",
    { ...body, price: { graduated: { tiers: [{ upTo: "9" }, { upTo: "5" }, {}] } } },
    "price.graduated.tiers[1].up_to",
    "INVALID_CATALOG",
  ],
  [
    "a first tier that holds nothing",
    { ...body, price: { graduated: { tiers: [{ upTo: "0" }, {}] } } },
    "price.graduated.tiers[0].up_to",
    "INVALID_CATALOG",
  ],
  ["no tiers", { ...body, price: { volume: { tiers: [] } } }, "price.volume.tiers", "INVALID_FIELD"],
  [
    "a negative price",
    { ...body, price: { perUnit: { unitAmount: "-0.01" } } },
    "price.per_unit.unit_amount",
    "INVALID_FIELD",
  ],
  [
    "19 decimals of a price",
    { ...body, price: { perUnit: { unitAmount: "0.0000000000000000001" } } },
    "price.per_unit.unit_amount",
    "INVALID_FIELD",
  ],
  [
    "a maximum below the minimum",
    { ...body, price: { perUnit: { unitAmount: "1" }, minimumAmount: "5", maximumAmount: "4" } },
    "price.maximum_amount",
    "INVALID_CATALOG",
  ],
  ["a key that is none", { ...body, price: { ...body.price, key: "1 a" } }, "price.key", "INVALID_FIELD"],
];

/** As any program would ask: plain fetch, plain JSON. */
async function preview({ api, tenant }: Harness, request: object, key = tenant.testKey) {
  const headers = { "content-type": "application/json", "x-usageflow-api-key": key };
  const response = await fetch(api.url + PATH, { method: "POST", headers, body: JSON.stringify(request) });
  return { status: response.status, json: (await response.json()) as Record<string, string> };
}

describe("PreviewPrice", () => {
  test("answers over Connect JSON what a price without a key comes to, and how", async () => {
    const harness = await setup();
    expect(await preview(harness, body)).toEqual({
      status: 200,
      json: {
        amountMinor: "650",
        exactAmount: "6.5",
        steps: [
          {
            quantity: "100",
            unitAmount: "0.05",
            amount: "5",
            description: "tier up to 100",
            invoiceNumber: "",
            creditNoteNumber: "",
          },
          {
            quantity: "50",
            unitAmount: "0.03",
            amount: "1.5",
            description: "tier above 100",
            invoiceNumber: "",
            creditNoteNumber: "",
          },
        ],
      },
    });
  });

  test("knows every model, the terms around it, and currencies of 0, 2 and 3 digits", async () => {
    const harness = await setup();
    const { clients } = harness;
    const amounts = async (request: object) => {
      const { status, json } = await preview(harness, request);
      expect([status, json.message]).toEqual([200, undefined]);
      return [json.amountMinor, json.exactAmount];
    };
    const perUnit = { perUnit: { unitAmount: "0.0333" } };
    const percentage = { percentage: { percent: "2.9", fixedAmount: "0.30", freeEvents: 1 } };
    const first = { flatAmount: "9", unitAmount: "1" };
    const at = (price: object, quantity: string, currency = "USD") => amounts({ currency, price, quantity });
    expect(await at(perUnit, "15")).toEqual(["50", "0.4995"]);
    expect(await at(perUnit, "15", "JPY")).toEqual(["0", "0.4995"]);
    expect(await at(perUnit, "15", "KWD")).toEqual(["500", "0.4995"]);
    expect(await at({ perUnit: { unitAmount: "0.000000000000000001" } }, "1")).toEqual(["0", "0.000000000000000001"]);
    expect(await at({ volume: { tiers } }, "150")).toEqual(["450", "4.5"]);
    expect(await at({ volume: { tiers: [first], billFlatAtZero: true } }, "0")).toEqual(["900", "9"]);
    expect(await at({ graduated: { tiers: [first] } }, "0")).toEqual(["0", "0"]);
    expect(await at({ package: { size: "100", amount: "5" }, includedQuantity: "100" }, "201")).toEqual(["1000", "10"]);
    expect(await at({ flat: { amount: "20.00" } }, "")).toEqual(["2000", "20"]);
    expect(await at({ ...perUnit, minimumAmount: "5" }, "")).toEqual(["500", "5"]);
    expect(await at({ ...perUnit, maximumAmount: "5" }, "1000000")).toEqual(["500", "5"]);
    const payments = { currency: "USD", price: percentage, eventAmounts: ["1000", "100", "0.00"] };
    expect(await amounts(payments)).toEqual(["350", "3.5"]);
    expect(await clients.pricing.pullCatalog({})).toMatchObject({ catalog: { metrics: [], plans: [] } });
  });

  test("refuses bad input with its path and reason", async () => {
    const { api, tenant } = await setup();
    const headers = { "x-usageflow-api-key": tenant.testKey };
    for (const [what, request, field, reason] of refusals) {
      const answer = await connectJson({ url: api.url, path: PATH, body: JSON.stringify(request), headers });
      expect([what, answer]).toMatchObject([what, { status: 400, code: "invalid_argument", field, reason }]);
    }
  });

  test("needs the right to read prices", async () => {
    const harness = await setup();
    const ingest = await harness.clients.tenant.createApiKey({ role: Role.INGEST });
    expect((await preview(harness, body, ingest.secret)).status).toBe(403);
  });
});
