import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { systemClock } from "../../server/clock.ts";
import { startWorker } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { listAllInvoices, setup } from "../support/harness.ts";
import { pgbouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { startReceiver } from "../support/receiver.ts";

// The whole way behind a pooler that gives each transaction any connection, with few connections for many who ask at once.

const CUSTOMERS = 30;
const HOUR = 3_600_000;

describe.runIf(pgbouncer)("behind PgBouncer in transaction mode", () => {
  test("usage becomes invoices and signed webhooks, as it does without", async () => {
    const through = await startPgBouncer(pgbouncer as string);
    const harness = await setup({ through, config: { emulator: true } });
    const { api, clients, drain, advanceTo, tenant } = harness;
    const receiver = await startReceiver();
    const { secret } = await clients.webhook.createEndpoint({ url: receiver.url });
    await clients.pricing.pushCatalog({ catalog });
    const outcomes = await Promise.all(
      Array.from({ length: CUSTOMERS }, async (_, number) => {
        const event = { metric: "API_CALL", amount: 1000, customerId: `user_${number}`, idempotencyKey: `${number}` };
        const headers = { "content-type": "application/json", "x-usageflow-api-key": tenant.testKey };
        const answer = await fetch(`${api.url}/api/track`, { method: "POST", headers, body: JSON.stringify(event) });
        return ((await answer.json()) as { outcome: string }).outcome;
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(["accepted"]));
    await drain();
    await advanceTo("2015-06-02T00:00:00Z");

    const invoices = await listAllInvoices(clients);
    expect(invoices.map(({ totalMinor }) => totalMinor)).toEqual(Array.from({ length: CUSTOMERS }, () => 5_447n));
    const verifier = new Webhook(secret);
    const types = receiver.got.map(({ headers, body }) => (verifier.verify(body, headers) as { type: string }).type);
    const each = Object.entries(Object.groupBy(types, (type) => type)).map(([type, all]) => [type, all?.length]);
    expect(Object.fromEntries(each)).toEqual({
      "customer.created": CUSTOMERS,
      "subscription.started": CUSTOMERS,
      "invoice.created": CUSTOMERS,
      "invoice.finalized": CUSTOMERS,
    });
    const { deliveries } = await clients.webhook.listDeliveries({ pageSize: 1_000 });
    expect(deliveries).toHaveLength(4 * CUSTOMERS);
    expect(new Set(deliveries.map(({ state }) => state))).toEqual(new Set([DeliveryState.DELIVERED]));
  });

  test("loops are woken where the connection to listen on is a direct one", async () => {
    const through = await startPgBouncer(pgbouncer as string);
    const config = { emulator: true, pollMs: HOUR };
    const { addApp, clients } = await setup({ through, listen: true, config });
    const receiver = await startReceiver();
    const arrived = new Promise<void>((resolve) => {
      receiver.behave((response) => {
        response.end();
        resolve();
      });
    });
    const worker = startWorker(await addApp({}, systemClock));
    onTestFinished(() => worker.close());
    const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url });
    await clients.webhook.sendTestEvent({ endpointId: endpoint?.id ?? "" });
    await arrived;
    const at = timestampFromDate(new Date("2015-06-02T00:00:00Z"));
    await clients.tenant.advanceClock({ destination: { case: "to", value: at } });
    for (let walking = true; walking; ) {
      walking = (await clients.tenant.getTenant({})).tenant?.clock?.target !== undefined;
    }
    expect(receiver.got).toHaveLength(1);
  });
});

test.skipIf(pgbouncer)("no pgbouncer was found on this machine, and nothing was tried behind one", () => {});
