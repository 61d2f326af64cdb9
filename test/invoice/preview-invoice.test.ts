import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { InvoiceKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { priced, use } from "../support/billing.ts";
import type { Clients } from "../support/clients.ts";
import { listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const ofCustomer = ({ invoice }: Clients, customerId: string) =>
  invoice.previewInvoice({ subject: { case: "customerId", value: customerId } });
const ofSubscription = ({ invoice }: Clients, id: string) =>
  invoice.previewInvoice({ subject: { case: "subscriptionId", value: id } });
const time = (at: string) => timestampFromDate(new Date(at));

test("a preview is the open period's invoice as of now, and grows with usage that is folded", async () => {
  const harness = await priced();
  const { clients } = harness;
  await use(harness, "ann", "100", "2015-05-20T00:00:00Z");
  await harness.drain();
  const first = await ofCustomer(clients, "ann");
  expect(first).toMatchObject({
    usageFold: 1n,
    invoice: {
      id: "",
      number: "",
      customerId: "ann",
      state: InvoiceState.DRAFT,
      kind: InvoiceKind.IN_ARREARS,
      totalMinor: 2450n,
      periodStart: time("2015-05-01T00:00:00Z"),
      periodEnd: time("2015-06-01T00:00:00Z"),
      createdAt: time("2015-05-21T00:00:00Z"),
      finalizeAt: time("2015-06-01T01:00:00Z"),
    },
  });
  await use(harness, "ann", "382", "2015-05-20T00:00:00Z");
  expect(await ofCustomer(clients, "ann")).toEqual(first);
  await harness.drain();
  expect(await ofCustomer(clients, "ann")).toMatchObject({ usageFold: 2n, invoice: { totalMinor: 3722n } });
  expect(await listAllInvoices(clients)).toEqual([]);
});

test("the invoice that is made has the lines of the last preview before it", async () => {
  const harness = await priced();
  await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { subscriptions } = await harness.clients.pricing.listSubscriptions({});
  const { invoice } = await ofSubscription(harness.clients, subscriptions[0]?.id ?? "");
  expect(invoice?.lines[1]?.steps).toHaveLength(3);
  await harness.advanceTo("2015-06-01T01:00:00Z");
  const [made] = await listAllInvoices(harness.clients);
  expect(made?.lines).toEqual(invoice?.lines);
  const next = await ofCustomer(harness.clients, "ann");
  expect(next.invoice).toMatchObject({ periodStart: time("2015-06-01T00:00:00Z"), totalMinor: 2000n });
});

test("of several subscriptions one must be named, and one that is over has no open period", async () => {
  const { clients, advanceTo } = await priced();
  const plan = { key: "other", currency: "USD", period: "PERIOD_MONTHLY" };
  const advance = { flat: { amount: "5.00", timing: "FLAT_TIMING_IN_ADVANCE" } };
  const plans = [{ ...plan, prices: [{ key: "seat", ...advance }] }];
  await clients.pricing.pushCatalog({ catalog: fromJson(CatalogSchema, { plans }) });
  const start = async (name: string) =>
    (await clients.pricing.startSubscription({ customerId: "ann", plan: name })).subscription?.id ?? "";
  const ids = [await start("pro"), await start("other")] as const;
  expect(await refused(ofCustomer(clients, "ann"))).toMatchObject({
    code: Code.FailedPrecondition,
    reason: ErrorReason.STATE_CONFLICT,
  });
  expect((await ofSubscription(clients, ids[0])).invoice).toMatchObject({ plan: "pro", totalMinor: 2000n });
  expect((await ofSubscription(clients, ids[1])).invoice).toMatchObject({ plan: "other", lines: [], totalMinor: 0n });
  await clients.pricing.endSubscription({ id: ids[0] });
  await advanceTo("2015-06-01T00:00:00Z");
  expect(await refused(ofSubscription(clients, ids[0]))).toMatchObject({ reason: ErrorReason.STATE_CONFLICT });
  expect((await ofCustomer(clients, "ann")).invoice).toMatchObject({ plan: "other" });
});

test("nothing is previewed of strangers, nor of nobody", async () => {
  const harness = await priced();
  const { clients, clientsFor, addOrganization } = harness;
  await use(harness, "ann", "1", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { subscriptions } = await clients.pricing.listSubscriptions({});
  const stranger = clientsFor((await addOrganization("Other")).testKey);
  const calls = [
    ofSubscription(stranger, subscriptions[0]?.id ?? ""),
    ofCustomer(stranger, "ann"),
    ofCustomer(clients, "bob"),
    ofSubscription(clients, "sub_0000000000000000000001"),
  ];
  for (const answer of await Promise.all(calls.map(refused))) expect(answer).toMatchObject({ code: Code.NotFound });
  expect(await refused(clients.invoice.previewInvoice({}))).toMatchObject({ code: Code.InvalidArgument });
});
