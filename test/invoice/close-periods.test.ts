import { fromJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { type Invoice, InvoiceKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { closePeriods } from "../../server/invoice/close-periods.ts";
import { finalizeInvoices } from "../../server/invoice/finalize-invoices.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const fee = { key: "fee", name: "Fee", flat: { amount: "20.00" } };
const seat = { key: "seat", name: "Licence", flat: { amount: "5.00", timing: "FLAT_TIMING_IN_ADVANCE" } };
const calls = { key: "calls", name: "Calls", metric: "API_CALL", perUnit: { unitAmount: "0.01" } };
const plan = { currency: "USD", period: "PERIOD_MONTHLY" };
const callsMetric = { key: "API_CALL", aggregation: "AGGREGATION_SUM" };
const catalog = fromJson(CatalogSchema, {
  metrics: [callsMetric],
  plans: [
    { key: "arrears", ...plan, prices: [fee, calls] },
    { key: "advance", ...plan, prices: [seat] },
    { key: "both", ...plan, prices: [seat, fee, calls] },
  ],
});

async function priced(): Promise<Harness> {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  return harness;
}

async function start({ clients }: Harness, customerId: string, plan: string, startAt?: string): Promise<string> {
  const from = startAt ? { startAt: timestampFromDate(new Date(startAt)) } : {};
  const { subscription } = await clients.pricing.startSubscription({ customerId, plan, ...from });
  return subscription?.id ?? "";
}

async function use({ clients }: Harness, customerId: string, amount: string, at: string): Promise<void> {
  const occurredAt = timestampFromDate(new Date(at));
  await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount, customerId, occurredAt }] });
}

/** An invoice in a line: kind, period, when it was made and is or was final, total. */
function brief(invoice: Invoice): string {
  const time = (at: Timestamp | undefined) => (at ? timestampDate(at).toISOString().slice(5, 16) : "-");
  const kind = invoice.kind === InvoiceKind.IN_ADVANCE ? "advance" : "arrears";
  const { periodStart, periodEnd, createdAt, finalizeAt, finalizedAt, totalMinor } = invoice;
  return `${kind} ${[periodStart, periodEnd, createdAt, finalizeAt, finalizedAt].map(time).join(" ")} ${totalMinor}`;
}

async function invoicesOf(harness: Harness): Promise<string[]> {
  return (await listAllInvoices(harness.clients)).map(brief);
}

describe("closePeriods", () => {
  test("makes a draft when a period ends, which is final when the grace period is over", async () => {
    const harness = await priced();
    await start(harness, "ann", "arrears");
    await use(harness, "ann", "7", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-05-31T23:59:59Z");
    expect(await invoicesOf(harness)).toEqual([]);
    await harness.advanceTo("2015-06-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual(["arrears 05-01T00:00 06-01T00:00 06-01T00:00 06-01T01:00 - 2007"]);
    const [draft] = await listAllInvoices(harness.clients);
    expect(draft).toMatchObject({ state: InvoiceState.DRAFT, number: "", plan: "arrears", planVersion: 1 });
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "arrears 05-01T00:00 06-01T00:00 06-01T00:00 06-01T01:00 06-01T01:00 2007",
    ]);
  });

  test("goes on from period to period until the subscription ends", async () => {
    const harness = await priced();
    const id = await start(harness, "ann", "arrears", "2015-05-10T07:00:00Z");
    await use(harness, "ann", "1", "2015-05-10T06:59:59Z"); // before it began
    await use(harness, "ann", "2", "2015-05-10T07:00:00Z");
    await harness.advanceTo("2015-06-15T00:00:00Z");
    await use(harness, "ann", "4", "2015-06-14T00:00:00Z");
    await harness.advanceTo("2015-07-15T00:00:00Z");
    await harness.clients.pricing.endSubscription({ id });
    await use(harness, "ann", "8", "2015-07-14T00:00:00Z");
    await harness.advanceTo("2015-12-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      // The fee of 20.00 is shared: by 10 May 07:00, 223 of 744 hours, it has come to 5.99.
      "arrears 05-10T07:00 06-01T00:00 06-01T00:00 06-01T01:00 06-01T01:00 1403",
      "arrears 06-01T00:00 07-01T00:00 07-01T00:00 07-01T01:00 07-01T01:00 2004",
      "arrears 07-01T00:00 08-01T00:00 08-01T00:00 08-01T01:00 08-01T01:00 2008",
    ]);
    expect(await harness.ownerDb.selectFrom("tenant_due").selectAll().execute()).toEqual([]);
  });

  test("bills fees in advance when the period begins, and a plan without other prices then alone", async () => {
    const harness = await priced();
    const id = await start(harness, "ann", "advance");
    await harness.drain();
    await harness.advanceTo("2015-06-01T00:00:00Z");
    await harness.clients.pricing.endSubscription({ id });
    await harness.advanceTo("2015-09-01T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "advance 05-01T00:00 06-01T00:00 05-21T00:00 05-01T00:00 05-21T00:00 500",
      "advance 06-01T00:00 07-01T00:00 06-01T00:00 06-01T00:00 06-01T00:00 500",
    ]);
  });

  test("makes two invoices of a plan with both: what has ended in arrears, what begins in advance", async () => {
    const harness = await priced();
    await start(harness, "ann", "both");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      "advance 05-01T00:00 06-01T00:00 05-21T00:00 05-01T00:00 05-21T00:00 500",
      "arrears 05-01T00:00 06-01T00:00 06-01T00:00 06-01T01:00 06-01T01:00 2000",
      "advance 06-01T00:00 07-01T00:00 06-01T00:00 06-01T00:00 06-01T00:00 500",
    ]);
  });

  test("waits with fees in advance for a subscription that is to begin", async () => {
    const harness = await priced();
    await start(harness, "ann", "advance", "2015-07-10T00:00:00Z");
    await harness.advanceTo("2015-07-09T23:59:59Z");
    expect(await invoicesOf(harness)).toEqual([]);
    await harness.advanceTo("2015-07-10T00:00:00Z");
    expect(await invoicesOf(harness)).toEqual([
      // 5.00 less 9 of 31 days of it, 1.45.
      "advance 07-10T00:00 08-01T00:00 07-10T00:00 07-10T00:00 07-10T00:00 355",
    ]);
  });

  test("catches up with every period where workers were away, each on its own invoice", async () => {
    const harness = await priced();
    await start(harness, "ann", "both");
    const now = { clock_frozen_at: new Date("2015-07-02T00:00:00Z") };
    await harness.ownerDb.updateTable("tenant").set(now).where("tenant_id", "=", harness.tenant.testId).execute();
    await use(harness, "ann", "1", "2015-06-30T23:59:59Z");
    await harness.drain();
    expect(await invoicesOf(harness)).toEqual([
      "advance 05-01T00:00 06-01T00:00 07-02T00:00 05-01T00:00 07-02T00:00 500",
      "arrears 05-01T00:00 06-01T00:00 07-02T00:00 06-01T01:00 07-02T00:00 2000",
      "advance 06-01T00:00 07-01T00:00 07-02T00:00 06-01T00:00 07-02T00:00 500",
      "arrears 06-01T00:00 07-01T00:00 07-02T00:00 07-01T01:00 07-02T00:00 2001",
      "advance 07-01T00:00 08-01T00:00 07-02T00:00 07-01T00:00 07-02T00:00 500",
    ]);
  });

  test("keeps a subscription on its version when the plan changes", async () => {
    const harness = await priced();
    await start(harness, "ann", "arrears");
    const dearer = fromJson(CatalogSchema, {
      plans: [{ key: "arrears", ...plan, prices: [{ ...fee, flat: { amount: "99.00" } }] }],
    });
    await harness.clients.pricing.pushCatalog({ catalog: dearer });
    await start(harness, "bob", "arrears");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const invoices = await listAllInvoices(harness.clients);
    expect(invoices.map((invoice) => [invoice.customerId, invoice.planVersion, invoice.totalMinor])).toEqual([
      ["ann", 1, 2000n],
      ["bob", 2, 9900n],
    ]);
  });

  test("goes through many in the order of customers, and bills each once with four workers at it", async () => {
    const harness = await priced();
    const { clients, ownerDb, tenant, app, addApp } = harness;
    const customers = Array.from({ length: 1_100 }, (_, i) => `c${String(i).padStart(4, "0")}`);
    await clients.pricing.pushCatalog({ catalog: { defaultPlan: "arrears" } });
    for (const part of [customers.slice(0, 600), customers.slice(600)]) {
      await clients.usage.trackUsage({
        events: part.map((customerId) => ({ metric: "API_CALL", amount: "1", customerId })),
      });
    }
    await harness.drain();
    const now = { clock_frozen_at: new Date("2015-06-01T01:00:00Z") };
    await ownerDb.updateTable("tenant").set(now).where("tenant_id", "=", tenant.testId).execute();
    const workers = [app, await addApp(), await addApp(), await addApp()];
    const bill = async (worker: typeof app) => {
      for (let done = 1; done > 0; ) {
        done = (await closePeriods(worker, tenant.testId)) + (await finalizeInvoices(worker, tenant.testId));
      }
    };
    await Promise.all(workers.map(bill));
    await harness.drain();
    const invoices = await listAllInvoices(clients);
    expect(invoices.map((invoice) => invoice.customerId)).toEqual(customers);
    expect(invoices.map((invoice) => Number(invoice.number.slice(4)))).toEqual(customers.map((_, i) => i + 1));
    expect(new Set(invoices.map(brief))).toEqual(
      new Set(["arrears 05-01T00:00 06-01T00:00 06-01T01:00 06-01T01:00 06-01T01:00 2001"]),
    );
  });

  test("bills as many at once as have few enough prices together", async () => {
    const harness = await setup();
    const { clients, ownerDb, tenant, app } = harness;
    const prices = Array.from({ length: 100 }, (_, i) => ({ ...calls, key: `calls-${i}` }));
    const many = { key: "many", ...plan, prices };
    await clients.pricing.pushCatalog({
      catalog: fromJson(CatalogSchema, { metrics: [callsMetric], plans: [many], defaultPlan: "many" }),
    });
    const customers = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const events = customers.map((customerId) => ({ metric: "API_CALL", amount: "1", customerId }));
    await clients.usage.trackUsage({ events });
    await harness.drain();
    const now = { clock_frozen_at: new Date("2015-06-01T01:00:00Z") };
    await ownerDb.updateTable("tenant").set(now).where("tenant_id", "=", tenant.testId).execute();
    const turns = async (step: typeof closePeriods) => [
      await step(app, tenant.testId),
      await step(app, tenant.testId),
      await step(app, tenant.testId),
    ];
    expect(await turns(closePeriods)).toEqual([50, 10, 0]);
    expect(await turns(finalizeInvoices)).toEqual([50, 10, 0]);
    const invoices = await listAllInvoices(clients);
    expect(invoices.map(({ lines, totalMinor }) => [lines.length, totalMinor])).toEqual(
      customers.map(() => [100, 100n]),
    );
  });
});
