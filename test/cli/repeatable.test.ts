import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { createClients } from "../support/clients.ts";
import { startReceiver } from "../support/receiver.ts";
import { createPlace } from "./run-cli.ts";

const SEED = `
catalog:
  metrics: [{ key: API_CALL, aggregation: SUM }]
  plans:
    - { key: pro, currency: USD, period: MONTHLY, prices: [
        { key: base, flat: { amount: "20.00", timing: IN_ADVANCE } },
        { key: calls, metric: API_CALL, perUnit: { unitAmount: "0.05" } } ] }
    - { key: max, currency: USD, period: MONTHLY, prices: [{ key: base, flat: { amount: "99.00" } }] }
  defaultPlan: pro
customers:
  - { id: ann, name: Ann }
subscriptions:
  - { customerId: ann, plan: max }
usage:
${Array.from({ length: 30 }, (_, at) => `  - { customerId: cus_${at % 12}, metric: API_CALL, amount: ${at}, idempotencyKey: seed-${at} }`).join("\n")}
`;

/** A month of many customers, call after call, and all that a receiver was told. */
async function journey(randomSeed: string): Promise<{ id: string; body: string }[]> {
  const receiver = await startReceiver();
  const place = await createPlace();
  await writeFile(join(place.folder, "seed.yaml"), SEED);
  const flags = ["--random-seed", randomSeed, "--clock", "2015-05-21", "--forward-to", receiver.url];
  const { ready } = await place.startEmulator(...flags, "--seed", "seed.yaml");
  const { tenant, usage, pricing, invoice, webhook } = createClients(ready.url, ready.apiKey);
  const advanceTo = (time: string) =>
    tenant.advanceClock({ destination: { case: "to", value: timestampFromDate(new Date(time)) } });
  for (let at = 0; at < 20; at++) {
    await usage.trackUsage({ events: [{ metric: "API_CALL", amount: `${at}`, customerId: `new_${at % 7}` }] });
  }
  const { subscriptions } = await pricing.listSubscriptions({ customerId: "cus_3" });
  await pricing.changeSubscription({ id: subscriptions[0]?.id ?? "", plan: "max" });
  await advanceTo("2015-06-01T02:00:00Z");
  await usage.trackUsage({ events: [{ metric: "API_CALL", amount: "5", customerId: "cus_1" }] });
  await invoice.createCreditGrant({ customerId: "cus_1", amount: "5", currency: "USD" });
  await invoice.markInvoicePaid({ id: "INV-000002", reference: "x" });
  await advanceTo("2015-07-01T02:00:00Z");
  await tenant.putCustomer({ customer: { id: "last" } }); // its turn comes when the clock has arrived
  await expect
    .poll(() => receiver.got.some(({ body }) => body.includes('"id":"last"')), { timeout: 30_000 })
    .toBe(true);
  const { deliveries } = await webhook.listDeliveries({ state: DeliveryState.PENDING });
  expect(deliveries).toEqual([]);
  expect(await place.run(["emulator", "stop"])).toMatchObject({ code: 0 });
  return receiver.got.map(({ headers, body }) => ({ id: String(headers["webhook-id"]), body }));
}

test("two runs with the same seed and clock send the same webhooks in the same order, and another seed has other ids", async () => {
  const [first, second, other] = await Promise.all([journey("7"), journey("7"), journey("8")]);
  expect(first.length).toBeGreaterThan(100);
  expect(second).toEqual(first);
  const types = (sent: { body: string }[]) => sent.map(({ body }) => JSON.parse(body).type);
  expect(types(other)).toEqual(types(first));
  const ids = new Set(first.map(({ id }) => id));
  expect(other.filter(({ id }) => ids.has(id))).toEqual([]);
  const sequences = first.map(({ body }) => Number(JSON.parse(body).sequence));
  expect(sequences).toEqual(sequences.map((_, at) => at + 1));
});
