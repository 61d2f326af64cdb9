import { expect, test } from "vitest";
import { UnbilledReason, UsageState } from "../../gen/usageflow/v1/usage_pb.ts";
import { billed } from "../support/billing.ts";

test("what a void invoice had billed is unbilled, and listed", async () => {
  const { clients, invoices } = await billed();
  const [event] = (await clients.usage.listUsageEvents({})).usageEvents;
  const explain = () => clients.usage.explainUsageEvent({ idempotencyKey: event?.idempotencyKey ?? "" });
  expect((await explain()).state).toBe(UsageState.BILLED);
  expect((await clients.usage.listUnbilledUsage({})).unbilledUsage).toEqual([]);

  await clients.invoice.voidInvoice({ id: invoices[0]?.id ?? "", reason: "a mistake" });

  expect(await explain()).toMatchObject({ state: UsageState.UNBILLED, unbilledReason: UnbilledReason.LATE });
  expect((await clients.usage.listUnbilledUsage({})).unbilledUsage).toMatchObject([
    { customerId: "ann", metric: "API_CALL", quantity: "482", reason: UnbilledReason.LATE },
  ]);
});
