import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, createTracker, timestampFromDate } from "usageflow";

// `emulator exec` sets these.
const server = { url: process.env.USAGEFLOW_URL ?? "", apiKey: process.env.USAGEFLOW_API_KEY ?? "" };
const { tenant, invoice } = createClient(server);

test("1500 calls cost 25 dollars", async () => {
  const tracker = createTracker(server);
  for (let call = 0; call < 1500; call++) tracker.track({ metric: "API_CALL", amount: 1, customerId: "acme" });
  const { accepted } = await tracker.close();
  assert.equal(accepted, 1500);

  // The month ends at once.
  await tenant.advanceClock({ destination: { case: "to", value: timestampFromDate(new Date("2025-06-02")) } });
  const hasArrived = async () => (await tenant.getTenant({})).tenant?.clock?.target === undefined;
  while (!(await hasArrived())) await sleep(50);

  const { invoices } = await invoice.listInvoices({ customerId: "acme" });
  assert.deepEqual(
    invoices.map(({ totalMinor }) => totalMinor),
    [2500n],
  );
});
