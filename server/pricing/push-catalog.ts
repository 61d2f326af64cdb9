import { create, equals, toJson } from "@bufbuild/protobuf";
import { type Catalog, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type PushCatalogRequest, PushCatalogResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { metricsByKey, putMetrics, toMetric } from "../usage/metric.ts";
import { checkCatalog } from "./check-catalog.ts";
import { findDefaultPlan, latestPlans } from "./plan.ts";
import { volumeCliffs } from "./volume-cliff.ts";

/** Publishes a catalog, whole or not at all. What it leaves out stays as it is; the same catalog again changes nothing. */
export function pushCatalog(app: App, caller: Caller, request: PushCatalogRequest) {
  const { tenantId } = caller;
  const catalog = request.catalog as Catalog; // required by the contract
  return change(app, caller, PushCatalogResponseSchema, async (tx) => {
    await takePush(tx, tenantId);
    const now = await tenantNow(tx, tenantId, app.clock);
    const known = new Map([...(await metricsByKey(tx, tenantId))].map(([key, row]) => [key, toMetric(row)]));
    const latest = new Map((await latestPlans(tx, tenantId)).map((plan) => [plan.key, plan]));
    checkCatalog(catalog, { metrics: known, plans: new Set(latest.keys()) });
    const metrics = await putMetrics(tx, tenantId, catalog.metrics);
    const plans = catalog.plans.flatMap((plan) => nextVersion(plan, latest.get(plan.key)));
    await publish(tx, tenantId, plans, now);
    await setDefault(tx, tenantId, catalog.defaultPlan, now);
    return create(PushCatalogResponseSchema, { metrics, plans, warnings: volumeCliffs(catalog) });
  });
}

/** One push of a tenant at a time: the next one sees what this one published. */
async function takePush(tx: Tx, tenantId: string): Promise<void> {
  await tx.selectFrom("tenant").select("tenant_id").where("tenant_id", "=", tenantId).forNoKeyUpdate().execute();
}

/** The version to publish: none when the content is that of the latest. */
function nextVersion(plan: Plan, latest: Plan | undefined): Plan[] {
  if (!latest) return [{ ...plan, version: 1 }];
  if (equals(PlanSchema, { ...plan, version: latest.version }, latest)) return [];
  return [{ ...plan, version: latest.version + 1 }];
}

async function publish(tx: Tx, tenantId: string, plans: readonly Plan[], now: Date): Promise<void> {
  if (plans.length === 0) return;
  await tx
    .insertInto("plan")
    .values(plans.map((plan) => ({ tenant_id: tenantId, key: plan.key, latest_version: plan.version })))
    .onConflict((conflict) =>
      conflict.constraint("plan_pkey").doUpdateSet((row) => ({ latest_version: row.ref("excluded.latest_version") })),
    )
    .execute();
  await tx
    .insertInto("plan_version")
    .values(
      plans.map((plan) => ({
        tenant_id: tenantId,
        plan_key: plan.key,
        version: plan.version,
        definition: JSON.stringify(toJson(PlanSchema, { ...plan, version: 0 })), // the row says the version
        published_at: now,
      })),
    )
    .execute();
}

/** Another default plan than before may have customers waiting for it. */
async function setDefault(tx: Tx, tenantId: string, key: string, now: Date): Promise<void> {
  if (key === "" || (await findDefaultPlan(tx, tenantId))?.key === key) return;
  const plans = tx.updateTable("plan").where("tenant_id", "=", tenantId);
  await plans.set({ is_default: false }).where("is_default", "=", true).execute();
  await plans.set({ is_default: true }).where("key", "=", key).execute();
  await makeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now);
}
