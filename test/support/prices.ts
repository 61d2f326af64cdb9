import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { PriceSchema, type TierSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { decimal, plain, zero } from "../../server/money.ts";
import { type Rating, rate } from "../../server/pricing/rate.ts";

// Prices in the fewest words, for tests of what they come to.

export type Model = NonNullable<MessageInitShape<typeof PriceSchema>["model"]>;
export type TierInit = MessageInitShape<typeof TierSchema>;

export const perUnit = (unitAmount: string): Model => ({ case: "perUnit", value: { unitAmount } });
export const graduated = (...tiers: TierInit[]): Model => ({ case: "graduated", value: { tiers } });
export const volume = (...tiers: TierInit[]): Model => ({ case: "volume", value: { tiers } });
export const packages = (size: string, amount: string): Model => ({ case: "package", value: { size, amount } });
export const flat = (amount: string): Model => ({ case: "flat", value: { amount } });
export const tier = (upTo: string, unitAmount: string, flatAmount = ""): TierInit => ({ upTo, unitAmount, flatAmount });

/** What stands around the model. */
export type Terms = Pick<MessageInitShape<typeof PriceSchema>, "includedQuantity" | "minimumAmount" | "maximumAmount">;

export function price(model: Model, quantity: string, currency = "USD", terms: Terms = {}) {
  return rate(create(PriceSchema, { key: "p", model, ...terms }), decimal(quantity), currency);
}

export function exact(model: Model, quantity: string): string {
  return plain(price(model, quantity).exact);
}

/** What the steps of a rating come to together. */
export function stepSum({ steps }: Rating): string {
  return plain(steps.reduce((sum, { amount }) => sum.plus(decimal(amount)), zero));
}
