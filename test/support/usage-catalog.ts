import { fromJson } from "@bufbuild/protobuf";
import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";

/** A metric of each aggregation, a plan that has a price for all but the last of them, and no default plan. */
export const usageCatalog: Catalog = fromJson(CatalogSchema, {
  metrics: [
    { key: "SUM", name: "Sum", aggregation: "AGGREGATION_SUM" },
    { key: "COUNT", name: "Count", aggregation: "AGGREGATION_COUNT" },
    { key: "MAX", name: "Max", aggregation: "AGGREGATION_MAX" },
    { key: "UNIQUE", name: "Unique", aggregation: "AGGREGATION_UNIQUE", uniqueProperty: "user" },
    { key: "FREE", name: "Free", aggregation: "AGGREGATION_SUM" },
  ],
  plans: [
    {
      key: "pro",
      name: "Pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: ["SUM", "COUNT", "MAX", "UNIQUE"].map((metric) => ({
        key: metric.toLowerCase(),
        name: metric,
        metric,
        perUnit: { unitAmount: "1" },
      })),
    },
  ],
});
