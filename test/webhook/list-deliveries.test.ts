import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { DeliveryState, StatusClass } from "../../gen/usageflow/v1/webhook_pb.ts";
import { ListDeliveriesRequestSchema, ListEventsRequestSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { inTenant, type Tx } from "../../server/db/database.ts";
import { findEvents } from "../../server/webhook/event.ts";
import { findDeliveries } from "../../server/webhook/list-deliveries.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { OCCURRED_AT, stageEvents } from "./stage-events.ts";

type Filter = MessageInitShape<typeof ListDeliveriesRequestSchema>;

/** Two events each of two types, of customers 0 and 1, for an endpoint that takes them and one that answers `status`. */
async function setupDeliveries(status: number) {
  const harness = await setup({ config: { emulator: true } });
  const { app, clients, clock, tenant } = harness;
  const receiver = await startReceiver();
  receiver.behave((response, request) => {
    if (request.path.endsWith("?good")) response.writeHead(204).end();
    else if (status === 0) response.destroy();
    else answer(status)(response, request);
  });
  const create = async (name: string) =>
    (await clients.webhook.createEndpoint({ url: `${receiver.url}?${name}` })).endpoint?.id ?? "";
  const good = await create("good");
  const bad = await create("bad");
  await stageEvents(app, tenant.testId, ["invoice.created", "invoice.finalized"]);
  await harness.drain();
  clock.advance(1_000);
  const later = timestampFromDate(clock.now());
  await stageEvents(app, tenant.testId, ["invoice.created", "invoice.finalized"]);
  await harness.drain();
  const list = async (filter: Filter) => (await clients.webhook.listDeliveries(filter)).deliveries;
  return { ...harness, good, bad, later, list };
}

describe("a list of deliveries", () => {
  test("is narrowed by event type, with wildcards", async () => {
    const { list } = await setupDeliveries(500);
    const typesOf = async (...eventTypes: string[]) =>
      (await list({ eventTypes })).map((delivery) => delivery.eventType.split(".")[1]);
    expect(await typesOf("invoice.created")).toEqual(Array(4).fill("created"));
    expect(await typesOf("invoice.*")).toHaveLength(8);
    expect(await typesOf("*")).toHaveLength(8);
    expect(await typesOf("invoice.paid", "subscription.*")).toEqual([]);
    expect(await refused(list({ eventTypes: ["invoice.payed"] }))).toMatchObject({
      code: 3,
      field: "event_types[0]",
    });
  });

  test("is narrowed by customer and by the time at which they were made", async () => {
    const { list, later } = await setupDeliveries(500);
    const customersOf = async (filter: Filter) => (await list(filter)).map((delivery) => delivery.customerId);
    expect(await customersOf({ customerId: "1" })).toEqual(["1", "1", "1", "1"]);
    expect(await customersOf({ customerId: "2" })).toEqual([]);
    expect(await customersOf({ start: later })).toHaveLength(4);
    expect(await customersOf({ end: later })).toHaveLength(4);
    expect(await customersOf({ start: later, end: later })).toEqual([]);
    expect(await customersOf({ start: later, customerId: "0", eventTypes: ["invoice.*"] })).toEqual(["0", "0"]);
    const before = { ...later, seconds: later.seconds - 1n };
    expect(await refused(list({ start: later, end: before }))).toMatchObject({ code: 3, field: "end" });
  });

  test.each([
    [0, StatusClass.NONE],
    [302, StatusClass.REDIRECT],
    [410, StatusClass.CLIENT_ERROR],
    [503, StatusClass.SERVER_ERROR],
  ])("is narrowed by how the last attempt was answered: %i", async (status, statusClass) => {
    const { list, good, bad } = await setupDeliveries(status);
    const endpoints = async (filter: Filter) => new Set((await list(filter)).map((delivery) => delivery.endpointId));
    expect(await endpoints({ statusClass })).toEqual(new Set([bad]));
    expect(await endpoints({ statusClass: StatusClass.SUCCESS })).toEqual(new Set([good]));
    const others = [StatusClass.NONE, StatusClass.REDIRECT, StatusClass.CLIENT_ERROR, StatusClass.SERVER_ERROR];
    for (const other of others.filter((one) => one !== statusClass)) {
      expect(await list({ statusClass: other })).toEqual([]);
    }
  });

  test("pages both ways, in the same order", async () => {
    const { clients } = await setupDeliveries(500);
    const all = async (filter: Filter) => {
      const ids: string[] = [];
      for (let pageToken = ""; ; ) {
        const page = await clients.webhook.listDeliveries({ ...filter, pageSize: 3, pageToken });
        ids.push(...page.deliveries.map((delivery) => delivery.id));
        pageToken = page.nextPageToken;
        if (pageToken === "") return ids;
      }
    };
    const newest = await all({});
    expect(new Set(newest).size).toBe(8);
    expect(await all({ oldestFirst: true })).toEqual(newest.toReversed());
    const pending = await all({ state: DeliveryState.PENDING });
    expect(await all({ state: DeliveryState.PENDING, oldestFirst: true })).toEqual(pending.toReversed());
    const { nextPageToken } = await clients.webhook.listDeliveries({ pageSize: 3 });
    const turned = clients.webhook.listDeliveries({ pageSize: 3, pageToken: nextPageToken, oldestFirst: true });
    expect(await refused(turned)).toMatchObject({ code: 3 });
  });
});

const SECOND = 1_000;

test("a page costs what it holds, however much is stored", async () => {
  const { app, bad, clock, ownerDb, tenant } = await setupDeliveries(500);
  const { testId } = tenant;
  const now = clock.now();
  await sql`
    insert into outbox_event (tenant_id, id, type, occurred_at, customer_id, data)
    select tenant_id, gen_random_uuid(), type, occurred_at - n * interval '1 second', 'c' || n % 100, data
    from (select distinct on (type) * from outbox_event where tenant_id = ${testId} order by type, id) as event,
      generate_series(1, 3000) as n`.execute(ownerDb);
  await sql`
    insert into delivery (tenant_id, id, event_id, event_type, customer_id, endpoint_id, sequence, state, attempt_count,
      last_status, created_at, completed_at)
    select tenant_id, gen_random_uuid(), id, type, customer_id, (
        select id from endpoint where url like '%good'
      ), 1000 + n, 'DELIVERED', 1, 200, ${now}::timestamptz - n * interval '1 second', ${now}
    from (select *, row_number() over () as n from outbox_event where customer_id like 'c%') as event`.execute(ownerDb);
  const deliveries = (filter: Filter) => (tx: Tx) => {
    const request = create(ListDeliveriesRequestSchema, filter);
    return findDeliveries(tx, testId, request, { after: undefined, limit: 5 });
  };
  const events = (filter: MessageInitShape<typeof ListEventsRequestSchema>) => (tx: Tx) =>
    findEvents(tx, testId, create(ListEventsRequestSchema, filter), { after: undefined, limit: 5 });
  const start = timestampFromDate(new Date(now.getTime() - 2_000 * SECOND));
  const end = timestampFromDate(new Date(now.getTime() - 1_000 * SECOND));
  const lists = {
    all: deliveries({}),
    oldest: deliveries({ oldestFirst: true }),
    type: deliveries({ eventTypes: ["invoice.created"] }),
    customer: deliveries({ customerId: "c7" }),
    "customer and types": deliveries({ customerId: "c7", eventTypes: ["invoice.*"] }),
    endpoint: deliveries({ endpointId: bad }),
    pending: deliveries({ state: DeliveryState.PENDING }),
    failed: deliveries({ state: DeliveryState.FAILED }),
    delivered: deliveries({ state: DeliveryState.DELIVERED }),
    refused: deliveries({ statusClass: StatusClass.SERVER_ERROR }),
    unanswered: deliveries({ statusClass: StatusClass.NONE }),
    taken: deliveries({ statusClass: StatusClass.SUCCESS }),
    time: deliveries({ start, end }),
    events: events({}),
    "events of a type": events({ eventTypes: ["invoice.created"] }),
    "events of a customer": events({ customerId: "c7" }),
    "events of a time": events({ end: timestampFromDate(new Date(Date.parse(OCCURRED_AT) - 1_000 * SECOND)) }),
  };
  for (const [name, find] of Object.entries(lists)) {
    const read = await inTenant(app.db, testId, async (tx) => {
      const before = await rowsRead(tx);
      await find(tx);
      return (await rowsRead(tx)) - before;
    });
    expect([name, read <= 24 ? "few" : read]).toEqual([name, "few"]);
  }
});

async function rowsRead(tx: Tx): Promise<number> {
  const { rows } = await sql<{ read: bigint }>`
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint as read from pg_stat_xact_all_tables
    where relname in ('delivery', 'delivery_due', 'outbox_event')`.execute(tx);
  return Number(rows[0]?.read);
}
