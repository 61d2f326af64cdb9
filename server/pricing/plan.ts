import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import { FlatTiming, type Plan, PlanSchema, type Price } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type ListPlansRequest, ListPlansResponseSchema } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { PlanVersion as PlanVersionTable } from "../db/tables.ts";
import { inPieces } from "../give-way.ts";
import { type Decimal, decimal, zero } from "../money.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";

/** The version of a plan that a row is on. */
export interface PlanRef {
  plan_key: string;
  plan_version: number;
}

/** The plan version as callers see it. */
export function toPlan(row: Pick<Selectable<PlanVersionTable>, "definition" | "version">): Plan {
  return { ...fromJson(PlanSchema, row.definition as JsonValue), version: row.version };
}

/** Whether a price is billed when the period begins. All others are billed when it has ended. */
export function isInAdvance({ model }: Price): boolean {
  return model.case === "flat" && model.value.timing === FlatTiming.IN_ADVANCE;
}

/** Whether a price is owed for each seat. */
export function isPerSeat({ model }: Price): boolean {
  return model.case === "flat" && model.value.perSeat;
}

/** The key of the line that makes up the difference to the plan's minimum amount, in the place of a price's. */
export const MINIMUM_KEY = "minimum";

/** The least that a period's invoice in arrears comes to, if the plan asks for something. */
export function planMinimum({ minimumAmount }: Plan): Decimal | undefined {
  const minimum = decimal(minimumAmount || "0");
  return minimum.gt(zero) ? minimum : undefined;
}

/** Whether a period that begins is invoiced. */
export function billsInAdvance(plan: Plan): boolean {
  return plan.prices.some(isInAdvance);
}

/** Whether a period that has ended is invoiced: for usage, for fees in arrears, for a minimum. */
export function billsInArrears(plan: Plan): boolean {
  return planMinimum(plan) !== undefined || !plan.prices.every(isInAdvance);
}

/** One version of a plan, or not-found. Version 0 is the latest. */
export async function getPlan(tx: Tx, tenantId: string, key: string, version = 0): Promise<Plan> {
  const row = await versions(tx, tenantId)
    .where("plan.key", "=", key)
    .where("version", "=", (query) => (version === 0 ? query.ref("plan.latest_version") : query.val(version)))
    .executeTakeFirst();
  if (!row) throw notFound("plan", version === 0 ? key : `${key} version ${version}`);
  return toPlan(row);
}

/** The latest version of each plan, in the order of the keys. */
export async function latestPlans(tx: Tx, tenantId: string): Promise<Plan[]> {
  const rows = await versions(tx, tenantId)
    .whereRef("version", "=", "plan.latest_version")
    .orderBy("plan.key")
    .execute();
  return inPieces(rows, toPlan);
}

/** The latest version of the plan to which customers first seen in usage are subscribed, if there is one. */
export async function findDefaultPlan(tx: Tx, tenantId: string): Promise<Plan | undefined> {
  const row = await versions(tx, tenantId)
    .where("plan.is_default", "=", true)
    .whereRef("version", "=", "plan.latest_version")
    .executeTakeFirst();
  return row && toPlan(row);
}

/** Reads the plan versions that rows are on, each once, and answers how to find a row's. */
export async function plansOf(tx: Tx, tenantId: string, refs: readonly PlanRef[]): Promise<(ref: PlanRef) => Plan> {
  const rows = await versions(tx, tenantId)
    .where(
      sql<boolean>`(plan_key, version) in (select * from unnest(
        ${refs.map((ref) => ref.plan_key)}::text[], ${refs.map((ref) => ref.plan_version)}::integer[]))`,
    )
    .execute();
  const plans = new Map(await inPieces(rows, (row) => [`${row.plan_key} ${row.version}`, toPlan(row)] as const));
  return (ref) => {
    const plan = plans.get(`${ref.plan_key} ${ref.plan_version}`);
    if (!plan) throw new Error("a row on a plan version that does not exist");
    return plan;
  };
}

/** The latest version of each plan by key. */
export function listPlans(app: App, tenantId: string, request: ListPlansRequest) {
  const page = openPage(app, { tenantId, list: "plan" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await versions(tx, tenantId)
      .whereRef("version", "=", "plan.latest_version")
      .$if(page.after !== undefined, (query) => query.where("plan.key", ">", page.after as string))
      .orderBy("plan.key")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.plan_key);
    return create(ListPlansResponseSchema, { plans: await inPieces(rows, toPlan), nextPageToken });
  });
}

function versions(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("plan")
    .innerJoin("plan_version", (join) =>
      join.onRef("plan_version.tenant_id", "=", "plan.tenant_id").onRef("plan_version.plan_key", "=", "plan.key"),
    )
    .select(["plan_key", "version", "definition"])
    .where("plan.tenant_id", "=", tenantId)
    .where("plan_version.tenant_id", "=", tenantId);
}
