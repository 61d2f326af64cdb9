import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { OCCURRED_AT, stageEvents } from "./stage-events.ts";

test("events are listed newest first, by type, customer and time, and shown with their facts", async () => {
  const { app, clients, tenant } = await setup();
  await stageEvents(app, tenant.testId, ["invoice.created", "invoice.finalized", "invoice.created"]);
  await clients.tenant.putCustomer({ customer: { id: "user_123" } });
  const list = async (filter: Parameters<typeof clients.webhook.listEvents>[0]) =>
    (await clients.webhook.listEvents(filter)).events.map((event) => `${event.type} ${event.customerId}`);
  const invoices = ["invoice.created 2", "invoice.finalized 1", "invoice.created 0"];
  // The invoices are of June, and the tenant's clock stands in May.
  expect(await list({})).toEqual([...invoices, "customer.created user_123"]);
  expect(await list({ eventTypes: ["invoice.*"] })).toEqual(invoices);
  expect(await list({ eventTypes: ["invoice.created"], customerId: "2" })).toEqual(["invoice.created 2"]);
  expect(await list({ customerId: "user_123" })).toEqual(["customer.created user_123"]);
  const june = timestampFromDate(new Date(OCCURRED_AT));
  expect(await list({ start: june })).toEqual(invoices);
  expect(await list({ end: june })).toEqual(["customer.created user_123"]);
  const first = await clients.webhook.listEvents({ pageSize: 3 });
  const second = await clients.webhook.listEvents({ pageSize: 3, pageToken: first.nextPageToken });
  expect([first.events.length, second.events.length, second.nextPageToken]).toEqual([3, 1, ""]);
  const [newest] = first.events;
  expect(newest?.data).toBeUndefined();
  const { event } = await clients.webhook.getEvent({ id: newest?.id ?? "" });
  expect(event).toMatchObject({ ...newest, data: { invoice: { customerId: "2", totalMinor: 2n ** 60n } } });
});

test("an event that nobody has, or another tenant, is not found", async () => {
  const { app, clients, clientsFor, tenant } = await setup();
  await stageEvents(app, tenant.liveId, ["invoice.created"]);
  const [own] = (await clientsFor(tenant.liveKey).webhook.listEvents({})).events;
  for (const id of [own?.id ?? "", "evt_0000000000000000000001", `evt_${"z".repeat(22)}`]) {
    expect(await refused(clients.webhook.getEvent({ id }))).toMatchObject({ code: 5 });
  }
  expect((await clients.webhook.listEvents({})).events).toEqual([]);
});
