import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReasonSchema, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { type Reported, reckon, reportsIn, shapedCatalog, shapes, toEvent } from "../support/shaped-usage.ts";

const plan = fromJson(CatalogSchema, {
  plans: [
    {
      key: "pro",
      currency: "USD",
      period: "PERIOD_MONTHLY",
      prices: Object.keys(shapes).map((metric) => ({
        key: metric,
        metric,
        perUnit: { unitAmount: "1" },
        ...(metric === "COUNT" ? {} : { filter: [{ property: "region", in: { values: ["eu", "é"] } }] }),
        ...(metric === "MAX" ? { filter: [{ property: "model", exists: false }] } : {}),
      })),
    },
  ],
});

type Filter = { start?: Date; end?: Date };

/** What is listed as unbilled. */
async function listed(clients: Clients, { start, end }: Filter) {
  const { unbilledUsage } = await clients.usage.listUnbilledUsage({
    ...(start && { start: timestampFromDate(start) }),
    ...(end && { end: timestampFromDate(end) }),
  });
  return unbilledUsage.map((row) => [
    [row.customerId, row.metric, Number(row.month?.seconds), UnbilledReasonSchema.value[row.reason]?.localName],
    row.quantity,
    Number(row.eventCount),
  ]);
}

/** What should be, by what each event is told to have become. */
async function explained(clients: Clients, events: readonly Reported[], { start, end }: Filter) {
  const told = await Promise.all(
    events
      .filter(({ at }) => at >= (start?.getTime() ?? 0) && at < (end?.getTime() ?? Number.MAX_VALUE))
      .map(async (event) => ({ event, is: await clients.usage.explainUsageEvent({ idempotencyKey: event.key }) })),
  );
  const groups = Map.groupBy(
    told.filter(({ is }) => is.state === UsageState.UNBILLED),
    ({ event: { customerId, metric, at }, is }) => {
      const month = Date.UTC(2015, new Date(at).getUTCMonth()) / 1_000;
      const reason = UnbilledReasonSchema.value[is.unbilledReason]?.localName;
      return JSON.stringify([customerId, metric, month, reason]);
    },
  );
  return [...groups].map(([group, its]) => {
    const [customerId, metric, month] = JSON.parse(group);
    const from = new Date(month * 1_000);
    const to = new Date(Date.UTC(2015, from.getUTCMonth() + 1));
    const span = { customerId, metric, aggregation: shapes[metric] ?? "", start: from, end: to };
    const [used] = reckon(
      span,
      its.map(({ event }) => event),
    );
    return [JSON.parse(group), used?.quantity, its.length];
  });
}

const inOrder = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

test("usage that no filter lets through is unbilled, and what is listed is what the events are told to have become", async () => {
  const { clients, ownerDb, drain, advanceTo } = await setup();
  await clients.pricing.pushCatalog({ catalog: shapedCatalog });
  await clients.pricing.pushCatalog({ catalog: plan });
  const startAt = timestampFromDate(new Date("2015-05-10T06:00:00Z"));
  await clients.pricing.startSubscription({ customerId: "ann", plan: "pro", startAt });
  // Within an hour, whatever calls allow.
  const within = new Date("2015-05-10T06:20:00.007Z");
  await ownerDb.updateTable("subscription").set({ started_at: within, period_start: within }).execute();
  const [from, to] = [Date.UTC(2015, 4, 10, 4), Date.UTC(2015, 4, 10, 9)];
  const [reports = []] = fc.sample(fc.array(reportsIn(from, to), { minLength: 240, maxLength: 240 }), {
    numRuns: 1,
    seed: 11,
  });
  const events = reports.map((report, i) => ({ ...report, key: `${i}` }));
  const check = async (stored: readonly Reported[]) => {
    const spans = [{}, { start: new Date(from + 1_234_567) }, { start: new Date(from + 1), end: new Date(to - 999) }];
    const reasons = new Set<unknown>();
    for (const span of spans) {
      const rows = await listed(clients, span);
      expect(inOrder(rows)).toEqual(inOrder(await explained(clients, stored, span)));
      for (const [group] of rows) reasons.add((group as unknown[])[3]);
    }
    return reasons;
  };
  await clients.usage.trackUsage({ events: events.slice(0, 160).map(toEvent), backfill: true });
  await drain();
  expect(await check(events.slice(0, 160))).toEqual(new Set(["NO_SUBSCRIPTION", "NO_PRICE"]));
  await advanceTo("2015-06-03T00:00:00Z"); // May is final
  await clients.usage.trackUsage({ events: events.slice(160).map(toEvent), backfill: true });
  await drain();
  for (const { id } of (await clients.invoice.listInvoices({})).invoices) {
    await clients.invoice.voidInvoice({ id, reason: "a mistake" });
  }
  expect(await check(events)).toEqual(new Set(["NO_SUBSCRIPTION", "NO_PRICE", "LATE"]));
});
