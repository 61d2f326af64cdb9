import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type CustomerSimulation,
  CustomerSimulationSchema,
  type SimulatePlanRequest,
  SimulatePlanResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { checkPlan } from "../pricing/check-catalog.ts";
import { wrong } from "../pricing/check-price.ts";
import { getPlan, plansOf } from "../pricing/plan.ts";
import { openPage } from "../rpc/page.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { metricsByKey, toMetric } from "../usage/metric.ts";
import { billedPeriods, customersWithPeriods, type PeriodFilter } from "./billed-period.ts";
import { chargesUnderTwo, type TwoCharges } from "./two-charges.ts";

/** Prices the customers' usage of past periods under another plan, and compares. Stores nothing. */
export function simulatePlan(app: App, tenantId: string, request: SimulatePlanRequest) {
  const page = openPage(app, { tenantId, list: "simulation" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const plan = await planToSimulate(tx, tenantId, request.plan);
    const filter = filterOf(request, await tenantNow(tx, tenantId, app.clock));
    const found = await customersWithPeriods(tx, tenantId, filter, page);
    const { rows: customers, nextPageToken } = page.cut(found, (id) => id);
    const periods = await billedPeriods(tx, tenantId, filter, customers);
    const planOf = await plansOf(tx, tenantId, periods);
    const isComparable = (old: Plan) => old.currency === plan.currency && old.period === plan.period;
    const [comparable = [], others = []] = [true, false].map((wanted) =>
      periods.filter((period) => isComparable(planOf(period)) === wanted),
    );
    const charges = await chargesUnderTwo(tx, tenantId, comparable, planOf, plan);
    const chargesOf = Map.groupBy(charges, (charge) => charge.period.customer_id);
    const othersOf = Map.groupBy(others, (period) => period.customer_id);
    return create(SimulatePlanResponseSchema, {
      customers: customers.map((id) => simulationOf(id, chargesOf.get(id) ?? [], othersOf.get(id)?.length ?? 0)),
      currency: plan.currency,
      planVersion: plan.version,
      nextPageToken,
    });
  });
}

async function planToSimulate(tx: Tx, tenantId: string, plan: SimulatePlanRequest["plan"]): Promise<Plan> {
  if (plan.case === "published") return getPlan(tx, tenantId, plan.value.key, plan.value.version);
  const given = plan.value as Plan; // required by the contract
  const rows = await metricsByKey(tx, tenantId);
  const metrics = new Map(Array.from(rows, ([key, row]) => [key, toMetric(row)]));
  for (const [i, { metric }] of given.prices.entries()) {
    if (!metric || metrics.has(metric)) continue;
    throw wrong(`definition.prices[${i}].metric`, `there is no metric "${metric}" yet, so it has no usage to price`);
  }
  checkPlan("definition", given, metrics);
  return { ...given, version: 0 };
}

function filterOf({ from, until, customerId, against }: SimulatePlanRequest, now: Date): PeriodFilter {
  const asked = until && timestampDate(until);
  return {
    from: from && timestampDate(from),
    until: asked && asked < now ? asked : now,
    customerId,
    planKey: against,
  };
}

function simulationOf(customerId: string, charges: readonly TwoCharges[], others: number): CustomerSimulation {
  const oldMinor = charges.reduce((sum, charge) => sum + charge.oldMinor, 0n);
  const newMinor = charges.reduce((sum, charge) => sum + charge.newMinor, 0n);
  const differenceMinor = newMinor - oldMinor;
  return create(CustomerSimulationSchema, {
    customerId,
    periods: charges.length,
    oldMinor,
    newMinor,
    differenceMinor,
    differencePercent: percentOf(differenceMinor, oldMinor),
    periodsNotComparable: others,
  });
}

/** A part in percent of a whole that is not negative, to 2 digits, half away from zero. Empty for a whole of 0. */
function percentOf(part: bigint, whole: bigint): string {
  if (whole === 0n) return "";
  const size = part < 0n ? -part : part;
  const hundredths = (size * 20_000n + whole) / (2n * whole);
  const text = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`.replace(/\.?0+$/, "");
  return part < 0n && hundredths > 0n ? `-${text}` : text;
}
