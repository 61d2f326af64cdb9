import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { CatalogSchema, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Harness, setup } from "../support/harness.ts";

// Numbers that others have published, asked of the API. What the vendors' own words say is in the
// comment with the page; where they differ from each other, our rule is in the contract's comment of the field.

/** What is priced, and the published amount: exact, and in minor units where the page rounds. */
interface Example {
  what: string;
  currency?: string;
  price: JsonObject;
  quantity?: string;
  eventAmounts?: string[];
  exact: string;
  minor?: bigint;
}

const perUnit = (unitAmount: string) => ({ perUnit: { unitAmount } });
const flat = (amount: string) => ({ flat: { amount } });
const tiers = (...list: [upTo: string, unitAmount: string, flatAmount?: string][]) => ({
  tiers: list.map(([upTo, unitAmount, flatAmount = ""]) => ({ upTo, unitAmount, flatAmount })),
});

// https://docs2.zenskar.com/docs/20260301/pricing-models/volume: brackets of 100, 200 and all above at 3, 2.50 and 2
const zenskar = tiers(["100", "3"], ["200", "2.50"], ["", "2"]);
// The same page: 99 units cost 495 at 5 each, 100 units cost 400 at 4 each
const cliff = tiers(["99", "5"], ["", "4"]);
// https://knowledgecenter.zuora.com/Zuora_Billing/B_Set_up_Zuora_Billing/Build_products_and_prices/Charge_models_-_configure_any_pricing/CC_Tiered_pricing
// a flat fee for each tier entered: nothing up to 5, 200 up to 7, 100 up to 9; above it 75 for each unit
const zuora = tiers(["5", "0"], ["7", "0", "200"], ["9", "0", "100"], ["", "75"]);
// https://docs.recurly.com/recurly-subscriptions/docs/-tiered-stairstep-and-volume-pricing: a stairstep is a flat amount
// for the whole range, which here is a volume price: 50 for 1 to 10 seats, 100 for 11 to 20, 150 for more
const stairstep = tiers(["10", "0", "50"], ["20", "0", "100"], ["", "0", "150"]);
// https://docs.flexprice.io/docs/product-catalogue/plans/billing-models/tiered: 65,000 calls in the tier at 0.0006
const flexprice = tiers(["10000", "0.0010"], ["50000", "0.0008"], ["100000", "0.0006"], ["", "0.0004"]);
// https://docs.paymentkit.com/guides/product-catalog/pricing-structures/tiered.md
const paymentkit = tiers(["1000", "0.01"], ["5000", "0.008"], ["", "0.005"]);
// https://www.chargebee.com/docs/billing/2.0/product-catalog/package-pricing: 1.25 for each million that is begun
const tokens = { package: { size: "1000000", amount: "1.25" } };
// https://getlago.com/docs/guide/plans/charges/charge-models/percentage: 1.2% and 0.10; 3 events or 500 are free
const lago = { percentage: { percent: "1.2", fixedAmount: "0.10", freeEvents: 3, freeAmount: "500" } };
// https://getlago.com/docs/templates/per-transaction/stripe: card payments online 2.9% and 0.30
const cards = { percentage: { percent: "2.9", fixedAmount: "0.30" } };
// https://getlago.com/docs/guide/plans/charges/spending-minimum: 0.010 for each user, at least 100
const committed = { ...perUnit("0.010"), minimumAmount: "100" };

const examples: Example[] = [
  // https://zuplo.com/docs/articles/monetization/pricing-models: 100,000 calls at 0.001
  { what: "per unit, a tenth of a cent each", price: perUnit("0.001"), quantity: "100000", exact: "100" },
  { what: "graduated", price: { graduated: zenskar }, quantity: "150", exact: "425" },
  { what: "graduated, tenths of a cent", price: { graduated: paymentkit }, quantity: "3000", exact: "26" },
  {
    what: "graduated with flat fees, a fraction of a unit",
    price: { graduated: zuora },
    quantity: "8.5",
    exact: "300",
  },
  { what: "graduated with flat fees, overage", price: { graduated: zuora }, quantity: "11", exact: "450" },
  { what: "graduated with flat fees, no usage", price: { graduated: zuora }, quantity: "0", exact: "0" },
  { what: "volume", price: { volume: zenskar }, quantity: "150", exact: "375" },
  { what: "volume, a hundredth of a cent", price: { volume: flexprice }, quantity: "65000", exact: "39" },
  { what: "volume, before the cliff", price: { volume: cliff }, quantity: "99", exact: "495" },
  { what: "volume, behind the cliff", price: { volume: cliff }, quantity: "100", exact: "400" },
  { what: "stairstep, third step", price: { volume: stairstep }, quantity: "25", exact: "150" },
  { what: "stairstep, a hundred more", price: { volume: stairstep }, quantity: "100", exact: "150" },
  { what: "a package that is begun", price: tokens, quantity: "10", exact: "1.25" },
  { what: "a package that is full", price: tokens, quantity: "1000000", exact: "1.25" },
  { what: "a package and a half", price: tokens, quantity: "1500000", exact: "2.5" },
  { what: "no package", price: tokens, quantity: "0", exact: "0" },
  { what: "a percentage, three free events", price: lago, eventAmounts: ["200", "100", "100"], exact: "0" },
  {
    what: "a percentage, the fourth event while a part of the free amount is left",
    price: lago,
    eventAmounts: ["200", "100", "100", "50"],
    exact: "0.7",
  },
  {
    what: "a percentage, the event that crosses the free amount",
    price: lago,
    eventAmounts: ["300", "250"], // 50 of them are not free: 0.60, and 0.10
    exact: "0.7",
  },
  { what: "a percentage of a card payment", price: cards, eventAmounts: ["100"], exact: "3.2", minor: 320n },
  { what: "a minimum that is not reached", price: committed, quantity: "5000", exact: "100", minor: 10_000n },
  { what: "a minimum without usage", price: committed, quantity: "0", exact: "100", minor: 10_000n },
  // https://chargebee.com/docs/2.0/site-configuration/articles-and-faq/what-is-the-rounding-logic-for-line-item-amounts.html
  // 4.4556 x 10.625 = 47.34075, shown as 47.34 in USD and as 47 in JPY
  { what: "dollars", price: perUnit("4.4556"), quantity: "10.625", exact: "47.34075", minor: 4734n },
  { what: "yen", currency: "JPY", price: perUnit("4.4556"), quantity: "10.625", exact: "47.34075", minor: 47n },
  // https://customer-api.getpliant.com/docs/monetary-values: 1000 yen are 1000, 50.50 dollars 5050, 0.250 dinars 250
  { what: "whole yen", currency: "JPY", price: flat("1000"), exact: "1000", minor: 1000n },
  { what: "dollars and cents", price: flat("50.50"), exact: "50.5", minor: 5050n },
  { what: "thousandths of a dinar", currency: "KWD", price: flat("0.250"), exact: "0.25", minor: 250n },
];

async function preview({ clients }: Harness, { currency = "USD", price, quantity = "", eventAmounts = [] }: Example) {
  return clients.pricing.previewPrice({ currency, price: fromJson(PriceSchema, price), quantity, eventAmounts });
}

test("PreviewPrice answers what public documentation publishes", async () => {
  const harness = await setup();
  for (const example of examples) {
    const { exactAmount, amountMinor } = await preview(harness, example);
    const { what, exact, minor = amountMinor } = example;
    expect({ what, exact: exactAmount, minor: amountMinor }).toEqual({ what, exact, minor });
  }
});

describe("a plan's minimum commitment", () => {
  // https://getlago.com/docs/guide/lago-cloud/contract-billing.md: 1,000 a month; 800 of usage get a true-up of 200, and
  // 1,300 get none
  const catalog = fromJson(CatalogSchema, {
    metrics: [{ key: "CALLS", aggregation: "AGGREGATION_SUM" }],
    plans: [
      {
        key: "contract",
        currency: "USD",
        period: "PERIOD_MONTHLY",
        minimumAmount: "1000",
        prices: [{ key: "calls", metric: "CALLS", ...perUnit("0.1") }],
      },
    ],
  });

  test.each([
    ["8000", [80_000n, 20_000n], 100_000n],
    ["13000", [130_000n], 130_000n],
    ["0", [0n, 100_000n], 100_000n],
  ])("with a usage of %s has the lines %s", async (amount, lines, total) => {
    const { clients, drain } = await setup();
    await clients.pricing.pushCatalog({ catalog });
    await clients.pricing.startSubscription({ customerId: "ann", plan: "contract" });
    await clients.usage.trackUsage({ events: [{ metric: "CALLS", amount, customerId: "ann" }] });
    await drain();
    const { invoice } = await clients.invoice.previewInvoice({ subject: { case: "customerId", value: "ann" } });
    expect(invoice?.lines.map((line) => line.amountMinor)).toEqual(lines);
    expect(invoice?.totalMinor).toBe(total);
  });
});
