import { create, toJson } from "@bufbuild/protobuf";
import type { CatalogDiff, FieldChange } from "../../gen/usageflow/v1/catalog_diff_pb.ts";
import { type Catalog, type Plan, PlanSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import {
  type PushCatalogRequest,
  type PushCatalogResponse,
  PushCatalogResponseSchema,
} from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { inPieces } from "../give-way.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteUnchanged } from "../rpc/change-note.ts";
import { makeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { changedMetrics, metricsByKey, putMetrics, toMetric } from "../usage/metric.ts";
import { catalogDiff, type Published } from "./catalog-diff.ts";
import { checkCatalog } from "./check-catalog.ts";
import { lossRefusal, lostChanges } from "./lost-change.ts";
import { findDefaultPlan, latestPlans, plansOf } from "./plan.ts";
import { versionSubscriptions } from "./version-subscriptions.ts";
import { volumeCliffs } from "./volume-cliff.ts";

/**
 * Publishes a catalog, whole or not at all. What it leaves out stays as it is; the same catalog again changes nothing. A
 * dry run goes the same way and stops before the first change; its answer is not kept, since the next one may be another.
 */
export function pushCatalog(app: App, caller: Caller, request: PushCatalogRequest): Promise<PushCatalogResponse> {
  const push = (tx: Tx) => pushWithin(app, tx, caller.tenantId, request);
  return request.dryRun
    ? inTenant(app.db, caller.tenantId, push)
    : change(app, caller, PushCatalogResponseSchema, push);
}

async function pushWithin(app: App, tx: Tx, tenantId: string, request: PushCatalogRequest) {
  const catalog = request.catalog as Catalog; // required by the contract
  await takePush(tx, tenantId);
  const published = await readPublished(tx, tenantId);
  await checkCatalog(catalog, { metrics: published.metrics, plans: new Set(published.plans.keys()) });
  const metrics = await changedMetrics(tx, tenantId, catalog.metrics);
  const lost = await findLosses(tx, tenantId, catalog, published);
  if (!request.force) refuseLoss(catalog, published, lost);
  const diff = await catalogDiff(catalog, published);
  const plans = nextVersions(catalog, diff);
  await tellOfPlans(tx, tenantId, diff, lost);
  if (!request.dryRun) {
    const now = await tenantNow(tx, tenantId, app.clock);
    await putMetrics(tx, metrics);
    await publish(tx, tenantId, plans, now);
    await setDefault(tx, tenantId, catalog.defaultPlan, published.defaultPlan, now);
    const newDefault = catalog.defaultPlan !== "" && catalog.defaultPlan !== published.defaultPlan;
    if (metrics.length === 0 && plans.length === 0 && !newDefault) noteUnchanged(tx);
  }
  const warnings = await volumeCliffs(catalog);
  return create(PushCatalogResponseSchema, { metrics: metrics.map(({ key }) => key), plans, warnings, diff });
}

/** One push of a tenant at a time: the next one sees what this one published. */
async function takePush(tx: Tx, tenantId: string): Promise<void> {
  await tx.selectFrom("tenant").select("tenant_id").where("tenant_id", "=", tenantId).forNoKeyUpdate().execute();
}

async function readPublished(tx: Tx, tenantId: string): Promise<Published> {
  const metrics = await metricsByKey(tx, tenantId);
  const plans = await latestPlans(tx, tenantId);
  return {
    metrics: new Map(Array.from(metrics, ([key, row]) => [key, toMetric(row)])),
    plans: new Map(plans.map((plan) => [plan.key, plan])),
    defaultPlan: (await findDefaultPlan(tx, tenantId))?.key ?? "",
  };
}

/** The versions to publish: of each plan whose content is not that of its latest. */
function nextVersions(catalog: Catalog, diff: CatalogDiff): Plan[] {
  const newVersions = new Map(diff.plans.map(({ key, newVersion }) => [key, newVersion]));
  return catalog.plans.flatMap((plan) => {
    const version = newVersions.get(plan.key);
    return version === undefined ? [] : [{ ...plan, version }];
  });
}

/** What is lost of plans that say an earlier version than the latest, or one that there is not, by their keys. */
async function findLosses(
  tx: Tx,
  tenantId: string,
  { plans }: Catalog,
  published: Published,
): Promise<Map<string, FieldChange[]>> {
  const stale = plans.flatMap((plan) => {
    const latest = published.plans.get(plan.key);
    return latest && plan.version > 0 && plan.version !== latest.version ? [{ plan, latest }] : [];
  });
  const known = stale.filter(({ plan, latest }) => plan.version < latest.version);
  const refs = known.map(({ plan }) => ({ plan_key: plan.key, plan_version: plan.version }));
  const planOf = await plansOf(tx, tenantId, refs);
  const madeFrom = new Map(refs.map((ref) => [ref.plan_key, planOf(ref)]));
  return new Map(
    await inPieces(stale, ({ plan, latest }) => [plan.key, lostChanges(plan, latest, madeFrom.get(plan.key))] as const),
  );
}

function refuseLoss(catalog: Catalog, published: Published, losses: ReadonlyMap<string, FieldChange[]>): void {
  for (const [i, plan] of catalog.plans.entries()) {
    const lost = losses.get(plan.key) ?? [];
    const latest = published.plans.get(plan.key);
    if (latest && lost.length > 0) throw lossRefusal(`catalog.plans[${i}].version`, plan, latest, lost);
  }
}

/** Adds to the diff of each plan who stays on its versions so far, and what is lost. */
async function tellOfPlans(
  tx: Tx,
  tenantId: string,
  diff: CatalogDiff,
  lost: ReadonlyMap<string, FieldChange[]>,
): Promise<void> {
  const changed = diff.plans.filter((plan) => plan.oldVersion > 0).map((plan) => plan.key);
  const staying = await versionSubscriptions(tx, tenantId, changed);
  for (const plan of diff.plans) {
    plan.staying = staying.get(plan.key) ?? [];
    plan.lost = lost.get(plan.key) ?? [];
  }
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
  const versions = await inPieces(plans, (plan) => ({
    tenant_id: tenantId,
    plan_key: plan.key,
    version: plan.version,
    definition: JSON.stringify(toJson(PlanSchema, { ...plan, version: 0 })), // the row says the version
    published_at: now,
  }));
  await tx.insertInto("plan_version").values(versions).execute();
}

/** Another default plan than before may have customers waiting for it. */
async function setDefault(tx: Tx, tenantId: string, key: string, before: string, now: Date): Promise<void> {
  if (key === "" || key === before) return;
  const plans = tx.updateTable("plan").where("tenant_id", "=", tenantId);
  await plans.set({ is_default: false }).where("is_default", "=", true).execute();
  await plans.set({ is_default: true }).where("key", "=", key).execute();
  await makeDue(tx, tenantId, "SUBSCRIBE_ARRIVALS", now);
}
