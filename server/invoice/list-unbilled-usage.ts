import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { UnbilledReason, type UnbilledUsage, UnbilledUsageSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import {
  type ListUnbilledUsageRequest,
  ListUnbilledUsageResponseSchema,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { cutByWeight } from "../cut-by-weight.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { invalid } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { customerIds } from "../tenant/customer.ts";
import { testsOf } from "../usage/dimension.ts";
import { type MetricRow, metricsByKey } from "../usage/metric.ts";
import { type Billing, type Cover, type UnbilledRow, unbilledUsage } from "../usage/unbilled-usage.ts";
import { getProgress, toProgress } from "../usage/usage-progress.ts";
import { wholeMillisecond } from "../usage/usage-time.ts";
import { type BillingSpan, billingOf, type SubscriptionBilling } from "./usage-billing.ts";

// In one statement, which looks through all of them for each bucket of usage.
const BILLINGS_MAX = 200;

/** Usage that no invoice bills or will bill, a number of customers at a time. */
export function listUnbilledUsage(app: App, tenantId: string, request: ListUnbilledUsageRequest) {
  const start = request.start ? wholeMillisecond("start", request.start) : null;
  const end = request.end ? wholeMillisecond("end", request.end) : null;
  if (start && end && end < start) throw invalid("end", "must not be before start");
  const page = openPage(app, { tenantId, list: "unbilled_usage" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    // Read first, so that what it says is counted is what is looked at.
    const progress = await getProgress(tx, tenantId);
    const found = request.customerId ? [request.customerId] : await customerIds(tx, tenantId, page);
    const { rows: ids, nextPageToken } = page.cut(found, (id) => id);
    const rows = await unbilledOf(tx, tenantId, { customerIds: ids, start, end });
    return create(ListUnbilledUsageResponseSchema, {
      unbilledUsage: rows.map(toUnbilledUsage),
      nextPageToken,
      progress: toProgress(progress),
    });
  });
}

/** Some customers at a time: one statement for all took the square of what one for each takes. */
async function unbilledOf(
  tx: Tx,
  tenantId: string,
  filter: { customerIds: readonly string[]; start: Date | null; end: Date | null },
): Promise<UnbilledRow[]> {
  const subscriptions = await billingOf(tx, tenantId, filter.customerIds);
  const covers = subscriptions.flatMap(coversOf);
  const metrics = await metricsByKey(tx, tenantId);
  const billings = subscriptions
    .flatMap(({ spans }) => spans)
    .flatMap((span) =>
      toldApart(span, metrics).map(({ metric, tests }) => {
        const { customer_id, start, end } = span;
        return { customerId: customer_id, metric, tests, start, end, ...billedFolds(span) };
      }),
    );
  const coversOfCustomer = Map.groupBy(covers, ({ customerId }) => customerId);
  const billingsOfCustomer = Map.groupBy(billings, ({ customerId }) => customerId);
  const timesOf = (ids: readonly string[]) => ({
    covers: ids.flatMap((id) => coversOfCustomer.get(id) ?? []),
    billings: ids.flatMap((id) => billingsOfCustomer.get(id) ?? []),
  });
  const rows: UnbilledRow[] = [];
  const weightOf = (id: string) => 1 + (billingsOfCustomer.get(id)?.length ?? 0);
  for (const customerIds of cutByWeight(filter.customerIds, BILLINGS_MAX, weightOf)) {
    rows.push(...(await unbilledUsage(tx, tenantId, { ...filter, customerIds }, timesOf(customerIds))));
  }
  return rows;
}

/** The usage that a plan's prices bill: several may bill the same. */
function toldApart({ prices }: BillingSpan, metrics: ReadonlyMap<string, MetricRow>) {
  const all = prices.map(({ metric, filter }) => ({
    metric,
    tests: testsOf(metrics.get(metric) as MetricRow, filter),
  }));
  return new Map(all.map((one) => [JSON.stringify(one), one])).values().toArray();
}

function coversOf({ customer_id: customerId, start, end, trial_ends_at }: SubscriptionBilling): Cover[] {
  if (!trial_ends_at) return [{ customerId, start, end, trial: false }];
  return [
    { customerId, start, end: trial_ends_at, trial: true },
    { customerId, start: trial_ends_at, end, trial: false },
  ];
}

/** What is not billed on its period's invoice will be on a later one, unless that invoice is void. */
function billedFolds({ is_void, usage_number, later }: BillingSpan): Pick<Billing, "afterFold" | "upToFold"> {
  if (!is_void || usage_number === null) return { afterFold: 0n, upToFold: null };
  const last = later.at(-1);
  return { afterFold: usage_number, upToFold: last ? BigInt(last.usage_number) : usage_number };
}

function toUnbilledUsage(row: UnbilledRow): UnbilledUsage {
  return create(UnbilledUsageSchema, {
    customerId: row.customer_id,
    metric: row.metric,
    month: timestampFromDate(row.month),
    reason: UnbilledReason[row.reason as keyof typeof UnbilledReason],
    quantity: row.quantity,
    eventCount: row.event_count,
  });
}
