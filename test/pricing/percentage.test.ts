import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PercentageSchema, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, plain, zero } from "../../server/money.ts";
import { countEvents, noEvents } from "../../server/pricing/percentage.ts";
import { rateEvents } from "../../server/pricing/rate.ts";

type Terms = Omit<MessageInitShape<typeof PercentageSchema>, "$typeName">;

function priced(terms: Terms, amounts: readonly string[], currency = "USD", bounds = {}) {
  const percentage = create(PercentageSchema, terms);
  const price = create(PriceSchema, { model: { case: "percentage", value: percentage }, ...bounds });
  return rateEvents(price, countEvents(percentage, noEvents, amounts), currency);
}

const owed = (terms: Terms, ...amounts: string[]) => plain(priced(terms, amounts).exact);

describe("a percentage prices the examples of public documentation", () => {
  // https://getlago.com/docs/guide/plans/charges/charge-models/percentage: 3 events or 500 are free
  const lago = { percent: "1.2", fixedAmount: "0.10", freeEvents: 3, freeAmount: "500" };
  // https://stripe.com/pricing: cards 2.9% and 30 cents; ACH 0.8%, at most 5.00
  const cards = { percent: "2.9", fixedAmount: "0.30" };
  const ach = { percent: "0.8", maxPerEvent: "5.00" };
  // https://docs.upvest.co: designing transaction fees, 1% per order, not less than 1, not more than 100
  const order = { percent: "1", minPerEvent: "1", maxPerEvent: "100" };

  test.each<[string, Terms, string[], string]>([
    ["Lago, within the free events", lago, ["200", "100", "100"], "0"],
    ["Lago, the fourth event, though 50 of the amount are left", lago, ["200", "100", "100", "50"], "0.7"],
    ["Stripe, cards", cards, ["100"], "3.2"],
    ["Stripe, 100 cards of 1.00", cards, Array(100).fill("1"), "32.9"],
    ["Stripe, ACH below its cap", ach, ["624.99"], "4.99992"],
    ["Stripe, ACH above its cap", ach, ["10000"], "5"],
    ["Upvest, a small order", order, ["99.99"], "1"],
    ["Upvest, an order in between", order, ["2000"], "20"],
    ["Upvest, a large order", order, ["10001"], "100"],
  ])("%s", (_, terms, amounts, amount) => {
    expect(owed(terms, ...amounts)).toBe(amount);
  });
});

describe("a percentage keeps its own rules", () => {
  const fee = { percent: "10", fixedAmount: "1" };

  test.each<[string, Terms, string[], string]>([
    ["nothing used owes nothing", { ...fee, minPerEvent: "5" }, [], "0"],
    [
      "the event that crosses the free amount owes the excess and its fixed amount whole",
      { ...fee, freeAmount: "100" },
      ["130"],
      "4",
    ],
    ["the free amount to the last cent is free", { ...fee, freeAmount: "100" }, ["60", "40"], "0"],
    ["and then it has run out", { ...fee, freeAmount: "100" }, ["60", "40", "0"], "1"],
    ["an event of nothing is free while something is", { ...fee, freeAmount: "100" }, ["60", "0", "40"], "0"],
    ["free events are free whatever they amount to", { ...fee, freeEvents: 1 }, ["1000000", "10"], "2"],
    [
      "the free amount ends before the free events",
      { ...fee, freeEvents: 9, freeAmount: "100" },
      ["90", "20", "20"],
      "5",
    ],
    ["the free events end before the free amount", { ...fee, freeEvents: 1, freeAmount: "100" }, ["10", "10"], "2"],
    ["a free event owes no minimum", { ...fee, freeEvents: 1, minPerEvent: "5" }, ["10", "10"], "5"],
    ["the fixed amount is added before the minimum", { ...fee, minPerEvent: "2" }, ["10"], "2"],
    ["the fixed amount is added before the maximum", { ...fee, maxPerEvent: "2" }, ["10.5"], "2"],
    ["the event that crosses has a minimum", { ...fee, freeAmount: "100", minPerEvent: "9" }, ["101"], "9"],
    ["a fixed amount alone", { percent: "0", fixedAmount: "0.25" }, ["10", "0"], "0.5"],
    ["100 percent", { percent: "100" }, ["0.000000000001"], "0.000000000001"],
    ["18 decimals of a percent", { percent: "0.000000000000000001" }, ["3"], "0.00000000000000000003"],
  ])("%s", (_, terms, amounts, amount) => {
    expect(owed(terms, ...amounts)).toBe(amount);
  });

  test.each([
    ["USD", 50n, 50_025n], // 2.9% of 17.25 is 0.50025
    ["JPY", 1n, 500n],
    ["KWD", 500n, 500_250n],
  ])("%s is rounded once, for all events together", (currency, one, thousand) => {
    expect(priced({ percent: "2.9" }, ["17.25"], currency).amountMinor).toBe(one);
    expect(priced({ percent: "2.9" }, Array(1_000).fill("17.25"), currency).amountMinor).toBe(thousand);
  });

  test("bounds of the whole price hold after those of each event", () => {
    expect(plain(priced(fee, ["10", "10"], "USD", { minimumAmount: "9" }).exact)).toBe("9");
    expect(plain(priced(fee, [], "USD", { minimumAmount: "9" }).exact)).toBe("9");
    expect(plain(priced(fee, ["10", "10"], "USD", { maximumAmount: "3" }).exact)).toBe("3");
  });

  test("it says how it came about", () => {
    const terms = { percent: "2.9", fixedAmount: "0.30", freeEvents: 1, minPerEvent: "0.50", maxPerEvent: "5" };
    expect(priced(terms, ["40", "1", "2", "100", "1000"]).steps).toMatchObject([
      { quantity: "40", unitAmount: "0", amount: "0", description: "free amount, 1 event as a whole" },
      { quantity: "1103", unitAmount: "0.029", amount: "31.987", description: "2.9% of the amount" },
      { quantity: "4", unitAmount: "0.3", amount: "1.2", description: "fixed amount per event" },
      { amount: "0.313", description: "up to the minimum of 0.5 in 2 events" },
      { amount: "-24.3", description: "down to the maximum of 5 in 1 event" },
    ]);
  });
});

// The oracle: each event by itself, in integers of 10^-32, as the contract's words say it and nothing else.

const SCALE = 32;
const units = (text: string) => {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(SCALE, "0"));
};

function naive(terms: Terms, amounts: readonly string[]): bigint {
  const { percent = "0", fixedAmount, freeEvents = 0, freeAmount, minPerEvent, maxPerEvent } = terms;
  let total = 0n;
  let before = 0n;
  for (const [i, text] of amounts.entries()) {
    const amount = units(text);
    const allowance = units(freeAmount || "0");
    const isFreeByCount = freeEvents === 0 || i < freeEvents;
    const isFreeByAmount = allowance === 0n || before < allowance;
    const hasFree = (freeEvents > 0 || allowance > 0n) && isFreeByCount && isFreeByAmount;
    const left = allowance === 0n ? amount : allowance - before;
    const excess = !hasFree ? amount : amount > left ? amount - left : 0n;
    before += amount;
    if (hasFree && excess === 0n) continue;
    let owed = (excess * units(percent)) / 10n ** BigInt(SCALE + 2) + units(fixedAmount || "0");
    if (owed < units(minPerEvent || "0")) owed = units(minPerEvent || "0");
    if (maxPerEvent && owed > units(maxPerEvent)) owed = units(maxPerEvent);
    total += owed;
  }
  return total;
}

const decimals = (whole: number, fraction: number) =>
  fc
    .tuple(fc.bigInt({ min: 0n, max: BigInt(whole) }), fc.stringMatching(new RegExp(`^[0-9]{0,${fraction}}$`)))
    .map(([head, tail]) => (tail ? `${head}.${tail}` : `${head}`));
const events = fc.array(fc.oneof(decimals(50, 0), decimals(50, 2), decimals(9_999, 12)), { maxLength: 30 });
const maybe = (text: fc.Arbitrary<string>) => fc.oneof(fc.constant(""), text);
const positive = (text: fc.Arbitrary<string>) => text.filter((value) => decimal(value).gt(zero));
const allTerms = fc
  .record({
    percent: fc.oneof(decimals(99, 2), decimals(99, 18)),
    fixedAmount: maybe(decimals(1, 4)),
    freeEvents: fc.oneof(fc.constant(0), fc.nat({ max: 20 })),
    freeAmount: maybe(decimals(500, 2)),
    least: maybe(positive(decimals(3, 3))),
    more: maybe(decimals(3, 3)),
  })
  .map(({ least, more, ...terms }): Terms => {
    const most = plain(decimal(least || "0.01").plus(decimal(more || "0")));
    return { ...terms, minPerEvent: least, maxPerEvent: more ? most : "" };
  });

describe("a percentage, whatever its terms", () => {
  test("is what each event owes by itself, added up", () => {
    fc.assert(
      fc.property(allTerms, events, (terms, amounts) => {
        const expected = decimal(`${naive(terms, amounts)}e-${SCALE}`);
        expect(owed(terms, ...amounts)).toBe(plain(expected));
      }),
      { numRuns: 500 },
    );
  });

  test("is the same however its events are cut into pages", () => {
    fc.assert(
      fc.property(allTerms, events, fc.array(fc.nat({ max: 30 })), (terms, amounts, cuts) => {
        const percentage = create(PercentageSchema, terms);
        const edges = [0, ...cuts.filter((cut) => cut < amounts.length).sort((a, b) => a - b), amounts.length];
        const pages = edges.slice(1).map((to, i) => amounts.slice(edges[i], to));
        const tally = pages.reduce((before, page) => countEvents(percentage, before, page), noEvents);
        expect(tally).toEqual(countEvents(percentage, noEvents, amounts));
      }),
    );
  });

  test("has steps that add up, each its quantity times its unit amount; and never costs less with an event more", () => {
    fc.assert(
      fc.property(allTerms, events, (terms, amounts) => {
        const { exact, steps } = priced(terms, amounts);
        const sum = steps.reduce((total, { amount }) => total.plus(decimal(amount)), zero);
        expect(plain(sum)).toBe(plain(exact));
        for (const { quantity, unitAmount, amount } of steps) {
          expect(plain(decimal(quantity).times(decimal(unitAmount)))).toBe(amount);
        }
        expect(priced(terms, amounts.slice(0, -1)).exact.lte(exact)).toBe(true);
      }),
    );
  });
});
