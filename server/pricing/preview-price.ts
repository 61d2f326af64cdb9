import { create } from "@bufbuild/protobuf";
import type { Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type PreviewPriceRequest,
  type PreviewPriceResponse,
  PreviewPriceResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { decimal, plain } from "../money.ts";
import { invalid } from "../rpc/errors.ts";
import { checkCurrency, checkPrice } from "./check-price.ts";
import { countEvents, noEvents } from "./percentage.ts";
import { type Rating, rate, rateEvents } from "./rate.ts";

/** What a price comes to, by the function that makes the invoices. */
export function previewPrice(request: PreviewPriceRequest): PreviewPriceResponse {
  checkCurrency("currency", request.currency);
  const price = request.price as Price; // required by the contract
  checkPrice("price", price);
  const { exact, amountMinor, steps } = ratingOf(price, request);
  return create(PreviewPriceResponseSchema, { amountMinor, exactAmount: plain(exact), steps });
}

function ratingOf(price: Price, { currency, quantity, eventAmounts }: PreviewPriceRequest): Rating {
  const { model } = price;
  if (model.case === "percentage") {
    if (quantity)
      throw invalid("quantity", "must be empty: a percentage is taken of single events; give event_amounts");
    return rateEvents(price, countEvents(model.value, noEvents, eventAmounts), currency);
  }
  if (eventAmounts.length > 0)
    throw invalid("event_amounts", "must be empty: only a percentage is taken of single events");
  return rate(price, decimal(quantity || "0"), currency);
}
