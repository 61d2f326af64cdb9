import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, onTestFinished, test } from "vitest";
import { repeatableIds } from "../../cli/emulator/repeatable-ids.ts";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { newId, setIdSource } from "../../server/id.ts";
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
${Array.from({ length: 15 }, (_, at) => `  - { customerId: cus_${at % 6}, metric: API_CALL, amount: ${at}, idempotencyKey: seed-${at} }`).join("\n")}
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
  for (let at = 0; at < 8; at++) {
    await usage.trackUsage({ events: [{ metric: "API_CALL", amount: `${at}`, customerId: `new_${at % 3}` }] });
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
  const pending = async () => (await webhook.listDeliveries({ state: DeliveryState.PENDING })).deliveries;
  await expect.poll(pending, { timeout: 30_000 }).toEqual([]); // the last answer may not be written yet
  expect(await place.run(["emulator", "stop"])).toMatchObject({ code: 0 });
  return receiver.got.map(({ headers, body }) => ({ id: String(headers["webhook-id"]), body }));
}

test("two runs with the same seed and clock send the same webhooks in the same order", {
  timeout: 120_000,
}, async () => {
  const [first, second] = await Promise.all([journey("7"), journey("7")]);
  expect(first.length).toBeGreaterThan(50);
  expect(second).toEqual(first);
  const sequences = first.map(({ body }) => Number(JSON.parse(body).sequence));
  expect(sequences).toEqual(sequences.map((_, at) => at + 1));
});

test("repeated ids are UUIDs of version 7 that grow, and are others in each run and with each seed", () => {
  const first = (seed: number, runs: number) => {
    setIdSource(repeatableIds(seed, runs));
    return Array.from({ length: 5_000 }, newId);
  };
  onTestFinished(() => setIdSource(undefined));
  const ids = first(1, 0);
  expect(first(1, 0)).toEqual(ids);
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.filter((id) => !/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toEqual(
    [],
  );
  const tails = (made: string[]) => made.map((id) => id.slice(19));
  expect(new Set([ids, first(2, 0), first(1, 1)].flatMap(tails)).size).toBe(15_000);
});
