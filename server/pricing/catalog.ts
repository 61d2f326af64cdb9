import { create } from "@bufbuild/protobuf";
import { PullCatalogResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { metricsByKey, toMetric } from "../usage/metric.ts";
import { findDefaultPlan, latestPlans } from "./plan.ts";

/** The catalog as it stands: all metrics, the latest version of each plan, the default plan. */
export function pullCatalog(app: App, tenantId: string) {
  return inTenant(app.db, tenantId, async (tx) => {
    const metrics = await metricsByKey(tx, tenantId);
    const plans = await latestPlans(tx, tenantId);
    const defaultPlan = await findDefaultPlan(tx, tenantId);
    return create(PullCatalogResponseSchema, {
      catalog: { metrics: [...metrics.values()].map(toMetric), plans, defaultPlan: defaultPlan?.key ?? "" },
    });
  });
}
