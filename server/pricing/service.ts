import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetPlanResponseSchema,
  GetSubscriptionResponseSchema,
  type PricingService,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { callerOf } from "../rpc/caller.ts";
import { pullCatalog } from "./catalog.ts";
import { createDiscount } from "./create-discount.ts";
import { listDiscounts } from "./discount.ts";
import { endDiscount } from "./end-discount.ts";
import { getPlan, listPlans } from "./plan.ts";
import { previewPrice } from "./preview-price.ts";
import { pushCatalog } from "./push-catalog.ts";
import { resumeSubscription } from "./resume-subscription.ts";
import { setSpendThresholds } from "./set-spend-thresholds.ts";
import { startSubscription } from "./start-subscription.ts";
import { getSubscription, listSubscriptions, toSubscription } from "./subscription.ts";

/** The methods that make invoices: see `server/invoice/service.ts`. */
export type SubscriptionBillingMethods = Pick<
  ServiceImpl<typeof PricingService>,
  "changeSubscription" | "endSubscription"
>;

/** PricingService: which file does what. */
export function pricingService(app: App, billing: SubscriptionBillingMethods): ServiceImpl<typeof PricingService> {
  return {
    pushCatalog: (request, call) => pushCatalog(app, callerOf(call), request),
    pullCatalog: (_, call) => pullCatalog(app, callerOf(call).tenantId),
    getPlan: ({ key, version }, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetPlanResponseSchema, { plan: await getPlan(tx, tenantId, key, version) }),
      );
    },
    listPlans: (request, call) => listPlans(app, callerOf(call).tenantId, request),
    previewPrice: (request) => previewPrice(request),
    startSubscription: (request, call) => startSubscription(app, callerOf(call), request),
    resumeSubscription: (request, call) => resumeSubscription(app, callerOf(call), request),
    setSpendThresholds: (request, call) => setSpendThresholds(app, callerOf(call), request),
    getSubscription: ({ id }, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetSubscriptionResponseSchema, {
          subscription: toSubscription(await getSubscription(tx, tenantId, id)),
        }),
      );
    },
    createDiscount: (request, call) => createDiscount(app, callerOf(call), request),
    listDiscounts: (request, call) => listDiscounts(app, callerOf(call).tenantId, request),
    endDiscount: (request, call) => endDiscount(app, callerOf(call), request),
    listSubscriptions: (request, call) => listSubscriptions(app, callerOf(call).tenantId, request),
    ...billing,
  };
}
