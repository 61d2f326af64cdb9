import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";

const metric = (key: string, aggregation: string, more: JsonObject = {}) => ({
  key,
  aggregation: `AGGREGATION_${aggregation}`,
  ...more,
});
const fee = (amount: string, more: JsonObject = {}) => ({ key: "fee", flat: { amount, ...more } });
const IN_ADVANCE = { timing: "FLAT_TIMING_IN_ADVANCE" };
const tiers = [{ upTo: "50", unitAmount: "0.11", flatAmount: "1" }, { unitAmount: "0.037" }];
const calls = { key: "calls", metric: "CALLS", graduated: { tiers } };
const eu = { property: "region", equals: "eu" };
const bytes = { key: "bytes", metric: "BYTES", package: { size: "30", amount: "0.9" }, groupBy: ["region"] };
const levels = { key: "level", metric: "LEVEL", perUnit: { unitAmount: "0.7" }, minimumAmount: "2" };

/** Prices of usage of every shape, fees in advance and in arrears, by seats and not, in three currencies. */
export const anyCatalog = fromJson(CatalogSchema, {
  metrics: [
    metric("CALLS", "SUM", { dimensions: ["region"] }),
    metric("BYTES", "SUM", { dimensions: ["region"] }),
    metric("PAID", "SUM"),
    metric("USERS", "UNIQUE", { uniqueProperty: "user" }),
    metric("LEVEL", "WEIGHTED_SUM", { carryOver: true }),
    metric("PEAK", "MAX"),
    metric("FREE", "COUNT"),
  ],
  plans: [
    {
      key: "basic",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      minimumAmount: "30",
      prices: [fee("31", IN_ADVANCE), calls, bytes],
    },
    {
      key: "team",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: [
        fee("9.99", { ...IN_ADVANCE, perSeat: true }),
        { key: "late", flat: { amount: "3.33", perSeat: true } },
        { key: "eu", metric: "CALLS", perUnit: { unitAmount: "0.011" }, filter: [eu], includedQuantity: "5" },
        { key: "users", metric: "USERS", volume: { tiers }, maximumAmount: "12" },
        { key: "paid", metric: "PAID", percentage: { percent: "2.9", fixedAmount: "0.30", freeEvents: 1 } },
      ],
    },
    {
      key: "anniversary",
      currency: "USD",
      period: "PERIOD_WEEKLY",
      alignment: "ALIGNMENT_ANNIVERSARY",
      minimumAmount: "7",
      prices: [fee("5.55"), levels, { key: "peak", metric: "PEAK", perUnit: { unitAmount: "0.333" } }],
    },
    {
      key: "trial",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      trialDays: 6,
      prices: [fee("20", { ...IN_ADVANCE, perSeat: true }), bytes, levels],
    },
    { key: "only_fee", currency: "USD", period: "PERIOD_WEEKLY", prices: [fee("8", { ...IN_ADVANCE, perSeat: true })] },
    { key: "yen", currency: "JPY", period: "PERIOD_MONTHLY", prices: [fee("999.5", IN_ADVANCE), calls] },
    { key: "dinar", currency: "KWD", period: "PERIOD_MONTHLY", prices: [fee("1.2345"), calls, bytes] },
  ],
});
