import { describe, expect, test } from "vitest";
import { dispatchEvents, dispatchEventsOf } from "../../server/outbox/dispatch-events.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { type Harness, setup } from "../support/harness.ts";
import { stageEvents, times } from "./stage-events.ts";

const url = "http://localhost:1/webhooks";

async function sequences({ ownerDb }: Harness, endpointUrl: string): Promise<number[]> {
  const rows = await ownerDb
    .selectFrom("delivery")
    .innerJoin("endpoint", "endpoint.id", "delivery.endpoint_id")
    .select("delivery.sequence")
    .where("endpoint.url", "=", endpointUrl)
    .orderBy("delivery.event_id")
    .execute();
  return rows.map((row) => Number(row.sequence));
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("fanOut", () => {
  test("makes a delivery for each endpoint that receives the type, numbered for that endpoint", async () => {
    const harness = await setup({ config: { emulator: true } });
    const { app, clients, tenant } = harness;
    await clients.webhook.createEndpoint({ url: `${url}?all` });
    await clients.webhook.createEndpoint({ url: `${url}?created`, eventTypes: ["invoice.created"] });
    await stageEvents(app, tenant.testId, ["invoice.created", "invoice.finalized", "invoice.created"]);
    await dispatchEvents(app, [fanOut(app)]);
    await stageEvents(app, tenant.testId, ["invoice.finalized", "invoice.created"]);
    await dispatchEvents(app, [fanOut(app)]);
    expect(await sequences(harness, `${url}?all`)).toEqual(upTo(5));
    expect(await sequences(harness, `${url}?created`)).toEqual(upTo(3));
  });

  test("takes fewer events at once the more endpoints hear of each, so that other tenants do not wait for long", async () => {
    const { app, clients, tenant } = await setup({ config: { emulator: true } });
    for (let count = 0; count < 50; count++) await clients.webhook.createEndpoint({ url });
    await stageEvents(app, tenant.testId, times(11));
    expect(await dispatchEvents(app, [fanOut(app)])).toBe(10);
    expect(await dispatchEvents(app, [fanOut(app)])).toBe(1);
  });

  test("makes it due at once, by the process clock", async () => {
    const { app, clients, clock, ownerDb, tenant } = await setup({ config: { emulator: true } });
    await clients.webhook.createEndpoint({ url });
    await stageEvents(app, tenant.testId, times(1));
    clock.advance(60_000);
    await dispatchEvents(app, [fanOut(app)]);
    expect(await ownerDb.selectFrom("delivery").selectAll().executeTakeFirstOrThrow()).toMatchObject({
      state: "PENDING",
      created_at: clock.now(),
    });
    expect(await ownerDb.selectFrom("delivery_due").selectAll().executeTakeFirstOrThrow()).toMatchObject({
      next_attempt_at: clock.now(),
      created_at: clock.now(),
      lease_token: null,
    });
  });

  test("passes by deleted endpoints and other tenants' endpoints", async () => {
    const harness = await setup({ config: { emulator: true } });
    const { app, clients, clientsFor, ownerDb, tenant } = harness;
    const other = await harness.addOrganization("Other");
    await clientsFor(other.testKey).webhook.createEndpoint({ url });
    const { endpoint } = await clients.webhook.createEndpoint({ url });
    await clients.webhook.deleteEndpoint({ id: endpoint?.id ?? "" });
    await stageEvents(app, tenant.testId, times(3));
    expect(await dispatchEvents(app, [fanOut(app)])).toBe(3);
    expect(await ownerDb.selectFrom("delivery").selectAll().execute()).toEqual([]);
  });

  test("leaves no gap when many dispatch at once and events keep coming", async () => {
    const harness = await setup({ config: { emulator: true } });
    const { app, addApp, clients, tenant } = harness;
    const other = await addApp();
    await clients.webhook.createEndpoint({ url: `${url}?a` });
    await clients.webhook.createEndpoint({ url: `${url}?b`, eventTypes: ["invoice.created"] });
    const produce = async () => {
      for (let round = 0; round < 10; round++) {
        await stageEvents(app, tenant.testId, [...times(30), ...times(20, "invoice.created")]);
      }
    };
    const consume = async (one: typeof app) => {
      for (let round = 0; round < 20; round++) await dispatchEventsOf(one, tenant.testId, [fanOut(one)]);
    };
    await Promise.all([produce(), produce(), consume(app), consume(other), consume(app), consume(other)]);
    while ((await dispatchEvents(app, [fanOut(app)])) > 0);
    expect((await sequences(harness, `${url}?a`)).sort((a, b) => a - b)).toEqual(upTo(1000));
    expect((await sequences(harness, `${url}?b`)).sort((a, b) => a - b)).toEqual(upTo(400));
  });
});
