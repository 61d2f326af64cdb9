import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { billed } from "../support/billing.ts";
import { listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { mismatches, offered, started } from "../support/subscriptions.ts";

test("an invoice of which a later one took a part back is voided after that one: else the part was given for nothing", async () => {
  const harness = await offered();
  const { clients } = harness;
  const voided = (id: string) => clients.invoice.voidInvoice({ id, reason: "a mistake" });
  const id = await started(harness, "starter", { startAt: "2015-05-01T00:00:00Z" });
  await clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  await harness.advanceTo("2015-05-21T02:00:00Z");
  const left = async () =>
    (await clients.invoice.listCreditGrants({})).creditGrants.map((grant) => grant.remainingMinor);
  expect(await left()).toEqual([1100n]);

  const conflict = { code: Code.FailedPrecondition, reason: ErrorReason.STATE_CONFLICT };
  expect(await refused(voided("INV-000001"))).toMatchObject(conflict);
  await voided("INV-000002");
  await voided("INV-000001");

  await harness.advanceTo("2015-06-21T00:00:00Z");
  expect(await left()).toEqual([0n]);
  expect((await listAllInvoices(clients)).slice(2).flatMap(({ lines }) => lines)).toEqual([]);
  expect(await mismatches(harness)).toEqual([]);
});

test("nor is one voided that billed what a later one took back of a void invoice", async () => {
  const harness = await billed();
  const { clients, advanceTo } = harness;
  const voided = (id: string) => clients.invoice.voidInvoice({ id, reason: "a mistake" });
  const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const late = { metric: "API_CALL", amount: "10", customerId: "ann", idempotencyKey: "late", occurredAt };
  await clients.usage.trackUsage({ events: [late] });
  await advanceTo("2015-07-02T00:00:00Z");
  await clients.usage.voidUsage({ idempotencyKeys: ["late"], reason: "a mistake" });
  await advanceTo("2015-08-02T00:00:00Z");
  await voided("INV-000001"); // what the later two say of it adds up to nothing

  expect((await refused(voided("INV-000002")))?.reason).toBe(ErrorReason.STATE_CONFLICT);
  await voided("INV-000003");
  await voided("INV-000002");
  expect(await mismatches(harness)).toEqual([]);
});
