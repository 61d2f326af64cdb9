import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  type Invoice,
  InvoiceKind,
  type InvoiceLine,
  InvoiceLineKind,
  InvoiceState,
} from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { UnbilledReason, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { parseId } from "../../server/id.ts";
import { askRerating } from "../../server/invoice/ask-rerating.ts";
import { billed, priced, use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";

// May was billed on INV-000001: the fee of 20.00, and 482 calls at 17.22. Ten more calls are 0.33 more.

const MAY = "2015-05-20T00:00:00Z";

/** Lines for earlier periods, in few words. */
function late(invoice: Invoice | undefined): string[] {
  return (invoice?.lines ?? [])
    .filter(({ kind }) => kind === InvoiceLineKind.LATE_USAGE || kind === InvoiceLineKind.PRORATION)
    .map((line) => `${line.adjustedInvoiceNumber}: ${line.amountMinor}, ${line.description}`);
}

const steps = (line: InvoiceLine | undefined) =>
  line?.steps.map((step) => `${step.description}: ${step.amount} ${step.invoiceNumber}`.trim());

/** What became of one event, and on which invoice. */
async function placeOf({ clients }: Harness, idempotencyKey: string) {
  const { state, billings } = await clients.usage.explainUsageEvent({ idempotencyKey });
  return [state, ...billings.map((billing) => billing.invoiceNumber || billing.invoiceId)];
}

async function expectAllVerified({ clients }: Harness): Promise<void> {
  for (const { id, number } of await listAllInvoices(clients)) {
    if (number === "") continue;
    const { matches, lines } = await clients.invoice.verifyInvoice({ id });
    expect([number, matches, lines.filter((line) => !line.matches)]).toEqual([number, true, []]);
  }
}

/** Reports calls of ann in May under a key. */
function call({ clients }: Harness, idempotencyKey: string, amount: string) {
  const occurredAt = timestampFromDate(new Date(MAY));
  return clients.usage.trackUsage({
    events: [{ metric: "API_CALL", amount, customerId: "ann", idempotencyKey, occurredAt }],
    backfill: true,
  });
}

async function endSubscription({ clients }: Harness): Promise<void> {
  const [subscription] = (await clients.pricing.listSubscriptions({})).subscriptions;
  await clients.pricing.endSubscription({ id: subscription?.id ?? "" });
}

describe("usage that comes after its invoice was final", () => {
  test("is a line of the next invoice: the whole period as it costs now, less all that was billed for it", async () => {
    const harness = await billed();
    await use(harness, "ann", "10", "2015-05-20T00:00:00Z");
    await harness.drain();
    const preview = await harness.clients.invoice.previewInvoice({ subject: { case: "customerId", value: "ann" } });
    const told = "INV-000001: 33, Late usage of 2015-05-01 to 2015-06-01: 37.55 instead of 37.22";
    expect(late(preview.invoice)).toEqual([told]);

    await harness.advanceTo("2015-07-01T00:00:00Z");
    const [, draft] = await listAllInvoices(harness.clients);
    expect(draft?.state).toBe(InvoiceState.DRAFT);
    expect(late(draft)).toEqual([told]);
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const [may, june] = await listAllInvoices(harness.clients);
    expect(june).toMatchObject({ number: "INV-000002", totalMinor: 2033n });
    expect(late(june)).toEqual([told]);
    const line = june?.lines.at(-1);
    expect(line).toMatchObject({
      priceKey: "late_usage",
      metric: "",
      quantity: "1",
      exactAmount: "0.33",
      adjustedInvoiceId: may?.id,
      adjustedPeriodStart: may?.periodStart,
      adjustedPeriodEnd: may?.periodEnd,
    });
    expect(steps(line)).toEqual([
      "API calls: 492 units: 17.55",
      "API calls: 482 units, billed on INV-000001: -17.22 INV-000001",
    ]);
    await expectAllVerified(harness);

    await harness.advanceTo("2015-08-02T00:00:00Z");
    expect(late((await listAllInvoices(harness.clients))[2])).toEqual([]);
  });

  test("counts what earlier such lines billed, and is a line also where nothing is owed for it", async () => {
    const harness = await billed();
    await use(harness, "ann", "10", MAY);
    await harness.advanceTo("2015-07-01T01:00:00Z");
    await use(harness, "ann", "0", "2015-06-20T00:00:00Z");
    await call(harness, "more", "3");
    await call(harness, "none", "0");
    await harness.advanceTo("2015-08-01T01:00:00Z");
    await call(harness, "zero", "0");
    await harness.advanceTo("2015-09-01T01:00:00Z");
    const [, , july, august] = await listAllInvoices(harness.clients);
    expect(late(july)).toEqual([
      "INV-000001: 10, Late usage of 2015-05-01 to 2015-06-01: 37.65 instead of 37.55",
      "INV-000002: 0, Late usage of 2015-06-01 to 2015-07-01: 20.00 instead of 20.00",
    ]);
    expect(steps(july?.lines.at(-2))).toEqual([
      "API calls: 495 units: 17.65",
      "API calls: 482 units, billed on INV-000001: -17.22 INV-000001",
      "adjusted, billed on INV-000002: -0.33 INV-000002",
    ]);
    expect(late(august)).toEqual(["INV-000001: 0, Late usage of 2015-05-01 to 2015-06-01: 37.65 instead of 37.65"]);
    await expectAllVerified(harness);
  });

  test("is on an invoice of its own where the subscription is over, as often as there is some", async () => {
    const harness = await billed();
    await endSubscription(harness);
    await harness.advanceTo("2015-07-02T00:00:00Z");
    for (const [i, key] of ["first", "second"].entries()) {
      await call(harness, key, "10");
      expect((await placeOf(harness, key))[0]).toBe(UsageState.PENDING);
      await harness.drain();
      const draft = (await listAllInvoices(harness.clients)).at(-1);
      expect(draft).toMatchObject({
        kind: InvoiceKind.ADJUSTMENT,
        state: InvoiceState.DRAFT,
        totalMinor: [33n, 34n][i],
        periodStart: timestampFromDate(new Date("2015-05-01")),
        periodEnd: timestampFromDate(new Date("2015-06-01")),
      });
      expect(await placeOf(harness, key)).toEqual([UsageState.DRAFT, draft?.id]);
      await harness.advanceTo(`2015-07-02T0${i + 1}:00:00Z`);
      const number = `INV-00000${i + 3}`;
      expect(await placeOf(harness, key)).toEqual([UsageState.BILLED, number]);
      expect((await harness.clients.invoice.getInvoice({ id: number })).invoice?.lines).toHaveLength(1);
    }
    expect(await harness.ownerDb.selectFrom("invoice_rerating").selectAll().execute()).toEqual([]);
    const events = await harness.ownerDb.selectFrom("outbox_event").select("type").orderBy("id").execute();
    expect(events.slice(-4).map((event) => event.type)).toEqual([
      "invoice.created",
      "invoice.finalized",
      "invoice.created",
      "invoice.finalized",
    ]);
    await expectAllVerified(harness);
  });

  test("is carried by the earliest draft alone, also when a later one is final first", async () => {
    const harness = await billed();
    const { clients } = harness;
    await clients.tenant.updateTenant({ gracePeriod: { seconds: 31n * 86_400n } });
    await harness.advanceTo("2016-03-02T00:00:00Z"); // February is over, and January not yet final
    await call(harness, "late", "10");
    await harness.drain();
    const [january, february] = (await listAllInvoices(clients)).slice(-2);
    expect([late(january).length, late(february).length]).toEqual([1, 0]);
    const preview = await clients.invoice.previewInvoice({ subject: { case: "customerId", value: "ann" } });
    expect(late(preview.invoice)).toEqual([]);
    expect(late((await clients.invoice.finalizeInvoice({ id: february?.id ?? "" })).invoice)).toEqual([]);
    expect(await placeOf(harness, "late")).toEqual([UsageState.DRAFT, january?.id]);
    expect(late((await clients.invoice.finalizeInvoice({ id: january?.id ?? "" })).invoice)).toHaveLength(1);
    expect(await placeOf(harness, "late")).toEqual([UsageState.BILLED, "INV-000010"]);
    await expectAllVerified(harness);
  });

  test("is billed again when the invoice that billed it is voided, and is verified all the same", async () => {
    const harness = await billed();
    const { clients } = harness;
    await call(harness, "late", "10");
    await harness.advanceTo("2015-07-02T00:00:00Z");
    expect(await placeOf(harness, "late")).toEqual([UsageState.BILLED, "INV-000002"]);
    for (const reason of ["a mistake", "again"]) await clients.invoice.voidInvoice({ id: "INV-000002", reason });
    await harness.drain();
    expect(await placeOf(harness, "late")).toEqual([UsageState.OPEN, ""]);
    expect((await clients.usage.listUnbilledUsage({})).unbilledUsage).toEqual([]);
    await call(harness, "later", "10");
    await harness.advanceTo("2015-08-02T00:00:00Z");
    const [, , july] = await listAllInvoices(clients);
    expect(late(july)).toEqual(["INV-000001: 67, Late usage of 2015-05-01 to 2015-06-01: 37.89 instead of 37.22"]);
    expect(await placeOf(harness, "late")).toEqual([UsageState.BILLED, "INV-000003"]);
    await expectAllVerified(harness);
  });

  test("is on no bill where the invoice of its period is void, but for what was billed before", async () => {
    const harness = await billed();
    const { clients } = harness;
    await call(harness, "billed", "10");
    await harness.advanceTo("2015-07-02T00:00:00Z");
    await call(harness, "waits", "20");
    await harness.drain();
    await clients.invoice.voidInvoice({ id: "INV-000001", reason: "a mistake" });
    await call(harness, "after", "30");
    await harness.advanceTo("2015-08-02T00:00:00Z");
    expect(await placeOf(harness, "billed")).toEqual([UsageState.BILLED, "INV-000002"]);
    for (const key of ["waits", "after"]) {
      expect(await placeOf(harness, key)).toEqual([UsageState.UNBILLED, "INV-000001"]);
    }
    expect(late((await listAllInvoices(clients))[2])).toEqual([]);
    const { unbilledUsage } = await clients.usage.listUnbilledUsage({});
    expect(unbilledUsage).toMatchObject([{ reason: UnbilledReason.LATE, quantity: "532", eventCount: 3n }]);
    await expectAllVerified(harness);
  });
});

test("usage that is voided after its invoice was final is taken off by the next one", async () => {
  const harness = await priced();
  const { clients } = harness;
  await call(harness, "right", "400");
  await call(harness, "wrong", "82");
  await harness.advanceTo("2015-06-02T00:00:00Z");
  await clients.usage.voidUsage({ idempotencyKeys: ["wrong"], reason: "a test" });
  await harness.advanceTo("2015-07-01T00:00:00Z");
  const [, draft] = await listAllInvoices(clients);
  expect(await placeOf(harness, "wrong")).toEqual([UsageState.UNBILLED, draft?.id]);
  await harness.advanceTo("2015-07-01T01:00:00Z");
  const [, june] = await listAllInvoices(clients);
  expect(late(june)).toEqual(["INV-000001: -273, Late usage of 2015-05-01 to 2015-06-01: 34.49 instead of 37.22"]);
  expect(june?.totalMinor).toBe(1727n);
  expect(await placeOf(harness, "wrong")).toEqual([UsageState.UNBILLED, "INV-000002"]);
  expect(await placeOf(harness, "right")).toEqual([UsageState.BILLED, "INV-000001"]);
  await expectAllVerified(harness);
});

test("a draft is not final by a call while a void of its usage waits to be counted", async () => {
  const harness = await priced();
  const { clients } = harness;
  await call(harness, "a", "1");
  await harness.advanceTo("2015-06-01T00:00:00Z");
  const [draft] = await listAllInvoices(clients);
  await clients.usage.voidUsage({ idempotencyKeys: ["a"], reason: "a test" });
  const finalize = () => clients.invoice.finalizeInvoice({ id: draft?.id ?? "" });
  await expect(finalize()).rejects.toMatchObject({ code: 9 });
  await harness.drain();
  expect((await finalize()).invoice?.totalMinor).toBe(2000n);
});

test("what was billed in advance is priced again too, on an invoice of its own where no other comes", async () => {
  const harness = await priced();
  const { clients, app, tenant } = harness;
  const plan = { key: "seat", currency: "USD", period: "PERIOD_MONTHLY" };
  const fee = { key: "fee", flat: { amount: "5", timing: "FLAT_TIMING_IN_ADVANCE" } };
  await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { plans: [{ ...plan, prices: [fee] }] }) });
  await clients.pricing.startSubscription({ customerId: "ann", plan: "seat" });
  await harness.drain();
  await endSubscription(harness);
  const [advance] = await listAllInvoices(clients);
  await inTenant(app.workerDb, tenant.testId, (tx) =>
    askRerating(tx, tenant.testId, [parseId("inv", advance?.id ?? "") ?? ""], new Date("2015-05-21")),
  );
  await harness.drain();
  expect(await listAllInvoices(clients)).toHaveLength(1);
  await harness.advanceTo("2015-06-01T01:00:00Z");
  const [, adjustment] = await listAllInvoices(clients);
  expect(adjustment).toMatchObject({ kind: InvoiceKind.ADJUSTMENT, number: "INV-000002", totalMinor: 0n });
  expect(late(adjustment)).toEqual(["INV-000001: 0, Changes in 2015-05-01 to 2015-06-01: 5.00 instead of 5.00"]);
  await expectAllVerified(harness);
});
