import { create } from "@bufbuild/protobuf";
import { type Catalog, type Price, type Tier, TierSchema, TiersSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type CatalogWarning, CatalogWarningSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { inPieces } from "../give-way.ts";
import { decimal, plain } from "../money.ts";
import { type PriceTerms, rate } from "./rate.ts";

/**
 * Places in volume prices where a larger quantity costs less: at the bound of a tier all that was used falls to the
 * next tier's price. That is what volume prices are for, and often more than was meant.
 */
export async function volumeCliffs({ plans }: Catalog): Promise<CatalogWarning[]> {
  const warnings = await inPieces(plans, ({ prices, currency }, i) =>
    inPieces(prices, (price, j) => cliffsOf(`catalog.plans[${i}].prices[${j}]`, price, currency)),
  );
  return warnings.flat(2);
}

function cliffsOf(path: string, price: Price, currency: string): CatalogWarning[] {
  if (price.model.case !== "volume") return [];
  const { tiers } = price.model.value;
  return tiers.flatMap((tier, i) => {
    const next = tiers[i + 1];
    if (!next) return [];
    const quantity = decimal(tier.upTo).plus(decimal(price.includedQuantity || "0"));
    const [at, above] = [tier, next].map((one) => rate(onlyTier(price, one), quantity, currency).exact);
    if (!at || !above?.lt(at)) return [];
    return create(CatalogWarningSchema, {
      field: `${path}.volume.tiers[${i + 1}]`,
      message: `a larger quantity costs less: ${plain(quantity)} costs ${plain(at)}, and just more than that ${plain(above)}`,
    });
  });
}

/** The price with one tier for all quantities. */
function onlyTier(price: Price, tier: Tier): PriceTerms {
  const tiers = create(TiersSchema, { tiers: [create(TierSchema, { ...tier, upTo: "" })] });
  return { ...price, model: { case: "volume", value: tiers } };
}
