import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { eventTypes } from "../../server/outbox/event-type.ts";
import { detailOf } from "../../server/rpc/errors.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "./stage-events.ts";

const emulator = { config: { emulator: true } };
const url = "http://localhost:4000/webhooks";
const unknownId = (prefix: string) => `${prefix}_0000000000000000000001`;

async function refusalOf(call: Promise<unknown>) {
  const error = await call.then(
    () => expect.unreachable("the call was not refused"),
    (reason: unknown) => ConnectError.from(reason),
  );
  return { code: error.code, message: error.rawMessage, ...detailOf(error) };
}

const notFound = expect.objectContaining({ code: Code.NotFound, reason: ErrorReason.NOT_FOUND });

describe("createEndpoint", () => {
  test("answers the endpoint and a secret of 32 bytes, which no other call shows", async () => {
    const { clients } = await setup(emulator);
    const made = await clients.webhook.createEndpoint({ url, description: "mine", eventTypes: ["invoice.*"] });
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(made.endpoint).toMatchObject({ url, description: "mine", eventTypes: ["invoice.*"] });
    const { endpoint } = await clients.webhook.getEndpoint({ id: made.endpoint?.id ?? "" });
    expect(endpoint).toEqual(made.endpoint);
    expect(JSON.stringify(endpoint, (_, value) => String(value))).not.toContain("whsec_");
  });

  test("takes a secret of the caller's own", async () => {
    const { clients } = await setup(emulator);
    const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    expect((await clients.webhook.createEndpoint({ url, secret })).secret).toBe(secret);
  });

  test("refuses a secret that is too short, or base64 that is not canonical", async () => {
    const { clients } = await setup(emulator);
    for (const secret of ["whsec_", `whsec_${Buffer.alloc(23).toString("base64")}`, `whsec_${"A".repeat(42)}B=`]) {
      expect(await refusalOf(clients.webhook.createEndpoint({ url, secret }))).toMatchObject({
        code: Code.InvalidArgument,
        field: "secret",
      });
    }
  });

  test("makes one endpoint for one idempotency key, and shows its secret again", async () => {
    const { clients } = await setup(emulator);
    const headers = { "idempotency-key": "k1" };
    const once = await clients.webhook.createEndpoint({ url }, { headers });
    expect(await clients.webhook.createEndpoint({ url }, { headers })).toEqual(once);
    expect((await clients.webhook.listEndpoints({})).endpoints).toHaveLength(1);
  });

  test("refuses a URL that webhooks cannot, or must not, be sent to", async () => {
    const { clients } = await setup(emulator);
    for (const [given, reason] of [
      ["ftp://localhost", ErrorReason.INVALID_FIELD],
      ["http://localhost/a b", ErrorReason.INVALID_FIELD],
      ["http://me@localhost", ErrorReason.INVALID_FIELD],
      ["https://8.8.8.8/", ErrorReason.ADDRESS_REFUSED],
    ] as const) {
      expect(await refusalOf(clients.webhook.createEndpoint({ url: given }))).toMatchObject({
        code: Code.InvalidArgument,
        reason,
        field: "url",
      });
    }
    expect((await clients.webhook.listEndpoints({})).endpoints).toEqual([]);
  });

  test("refuses an event type that does not exist, and names those that do", async () => {
    const { clients } = await setup(emulator);
    const patterns = ["invoice.created", "invoice.payed"];
    expect(await refusalOf(clients.webhook.createEndpoint({ url, eventTypes: patterns }))).toMatchObject({
      code: Code.InvalidArgument,
      field: "event_types[1]",
      message: `no event type matches "invoice.payed"; the event types are ${eventTypes.join(", ")}`,
    });
  });
});

describe("updateEndpoint", () => {
  test("replaces URL, description and event types", async () => {
    const { clients } = await setup(emulator);
    const made = await clients.webhook.createEndpoint({ url, description: "mine", eventTypes: ["*"] });
    const id = made.endpoint?.id ?? "";
    const { endpoint } = await clients.webhook.updateEndpoint({ id, url: `${url}/2` });
    expect(endpoint).toMatchObject({ id, url: `${url}/2`, description: "", eventTypes: [] });
    expect((await clients.webhook.getEndpoint({ id })).endpoint).toEqual(endpoint);
  });

  test("checks the URL and the event types as creating does", async () => {
    const { clients } = await setup(emulator);
    const id = (await clients.webhook.createEndpoint({ url })).endpoint?.id ?? "";
    expect(await refusalOf(clients.webhook.updateEndpoint({ id, url: "http://10.0.0.1/" }))).toMatchObject({
      reason: ErrorReason.ADDRESS_REFUSED,
    });
    expect(await refusalOf(clients.webhook.updateEndpoint({ id, url, eventTypes: ["plan.*"] }))).toMatchObject({
      field: "event_types[0]",
    });
  });
});

describe("deleteEndpoint", () => {
  test("makes it not found", async () => {
    const { clients } = await setup(emulator);
    const id = (await clients.webhook.createEndpoint({ url })).endpoint?.id ?? "";
    await clients.webhook.deleteEndpoint({ id });
    expect((await clients.webhook.listEndpoints({})).endpoints).toEqual([]);
    expect(await refusalOf(clients.webhook.getEndpoint({ id }))).toEqual(notFound);
    expect(await refusalOf(clients.webhook.updateEndpoint({ id, url }))).toEqual(notFound);
    expect(await refusalOf(clients.webhook.rotateEndpointSecret({ id }))).toEqual(notFound);
    expect(await refusalOf(clients.webhook.pauseEndpoint({ id }))).toEqual(notFound);
    expect(await refusalOf(clients.webhook.resumeEndpoint({ id }))).toEqual(notFound);
    expect(await refusalOf(clients.webhook.deleteEndpoint({ id }))).toEqual(notFound);
  });
});

describe("pauseEndpoint", () => {
  test("lets deliveries wait, in their order, until the endpoint is resumed, and holds up no other", async () => {
    const { app, clients, clock, drain, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    const id = (await clients.webhook.createEndpoint({ url: `${receiver.url}?paused` })).endpoint?.id ?? "";
    await clients.webhook.createEndpoint({ url: `${receiver.url}?other` });
    const { endpoint } = await clients.webhook.pauseEndpoint({ id });
    expect(endpoint?.pausedAt && timestampDate(endpoint.pausedAt)).toEqual(clock.now());
    expect((await clients.webhook.getEndpoint({ id })).endpoint).toEqual(endpoint);
    clock.advance(1_000);
    expect((await clients.webhook.pauseEndpoint({ id })).endpoint).toEqual(endpoint);
    await stageEvents(app, tenant.testId, times(3));
    await drain();
    expect(receiver.got.map(({ path }) => path.split("?")[1])).toEqual(["other", "other", "other"]);
    const waiting = (await clients.webhook.listDeliveries({ endpointId: id })).deliveries;
    expect(waiting.map(({ sequence, state, attemptCount }) => [sequence, state, attemptCount])).toEqual([
      [3n, DeliveryState.PENDING, 0],
      [2n, DeliveryState.PENDING, 0],
      [1n, DeliveryState.PENDING, 0],
    ]);
    expect((await clients.webhook.resumeEndpoint({ id })).endpoint?.pausedAt).toBeUndefined();
    expect((await clients.webhook.resumeEndpoint({ id })).endpoint?.pausedAt).toBeUndefined();
    await drain();
    const late = receiver.got.filter(({ path }) => path.endsWith("paused"));
    expect(late.map(({ body }) => JSON.parse(body).sequence).sort()).toEqual(["1", "2", "3"]);
  });

  test("of more endpoints than get a turn at once holds up none behind them", async () => {
    const { app, clients, drain, ownerDb, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    const id = (await clients.webhook.createEndpoint({ url: `${receiver.url}?paused` })).endpoint?.id ?? "";
    await clients.webhook.pauseEndpoint({ id });
    await sql`
      insert into endpoint (tenant_id, id, url, description, event_types, secret_sealed, created_at, paused_at)
      select tenant_id, gen_random_uuid(), url, '', event_types, secret_sealed, created_at, paused_at
      from endpoint, generate_series(1, 100)`.execute(ownerDb);
    await sql`update endpoint set id = overlay(id::text placing '00000000' from 1 for 8)::uuid where paused_at is not null`.execute(
      ownerDb,
    );
    await clients.webhook.createEndpoint({ url: `${receiver.url}?other` });
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    expect(receiver.got.map(({ path }) => path.split("?")[1])).toEqual(["other"]);
  });
});

describe("another tenant", () => {
  test("finds neither endpoints nor deliveries", async () => {
    const { app, addOrganization, clients, clientsFor, drain, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    const id = (await clients.webhook.createEndpoint({ url: receiver.url })).endpoint?.id ?? "";
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    const [delivery] = (await clients.webhook.listDeliveries({})).deliveries;
    const stranger = clientsFor((await addOrganization("Other")).testKey).webhook;
    expect(await refusalOf(stranger.getEndpoint({ id }))).toEqual(notFound);
    expect(await refusalOf(stranger.updateEndpoint({ id, url }))).toEqual(notFound);
    expect(await refusalOf(stranger.deleteEndpoint({ id }))).toEqual(notFound);
    expect(await refusalOf(stranger.getDelivery({ id: delivery?.id ?? "" }))).toEqual(notFound);
    expect((await stranger.listEndpoints({})).endpoints).toEqual([]);
    expect((await stranger.listDeliveries({ endpointId: id })).deliveries).toEqual([]);
  });

  test("is answered as for ids that nobody has", async () => {
    const { clients } = await setup(emulator);
    for (const id of [unknownId("whe"), `whe_${"z".repeat(22)}`]) {
      expect(await refusalOf(clients.webhook.getEndpoint({ id }))).toEqual(notFound);
      expect((await clients.webhook.listDeliveries({ endpointId: id })).deliveries).toEqual([]);
    }
    expect(await refusalOf(clients.webhook.getDelivery({ id: unknownId("whd") }))).toEqual(notFound);
  });
});

describe("lists", () => {
  test("page endpoints oldest first, and deliveries newest first", async () => {
    const { app, clients, drain, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    for (const name of ["a", "b", "c"]) await clients.webhook.createEndpoint({ url: `${receiver.url}?${name}` });
    const first = await clients.webhook.listEndpoints({ pageSize: 2 });
    const second = await clients.webhook.listEndpoints({ pageSize: 2, pageToken: first.nextPageToken });
    expect([...first.endpoints, ...second.endpoints].map((one) => one.url.at(-1))).toEqual(["a", "b", "c"]);
    expect(second.nextPageToken).toBe("");
    await stageEvents(app, tenant.testId, times(2));
    await drain();
    const newest = await clients.webhook.listDeliveries({ pageSize: 4 });
    const oldest = await clients.webhook.listDeliveries({ pageSize: 4, pageToken: newest.nextPageToken });
    const ids = [...newest.deliveries, ...oldest.deliveries].map((delivery) => delivery.id);
    expect(ids).toEqual(ids.toSorted().reverse());
    expect(ids).toHaveLength(6);
  });

  test("narrow deliveries by endpoint, event and state", async () => {
    const { app, clients, drain, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    receiver.behave((response, request) => answer(request.path.endsWith("bad") ? 500 : 204)(response, request));
    const good = (await clients.webhook.createEndpoint({ url: `${receiver.url}?good` })).endpoint?.id ?? "";
    const bad = (await clients.webhook.createEndpoint({ url: `${receiver.url}?bad` })).endpoint?.id ?? "";
    await stageEvents(app, tenant.testId, times(3));
    await drain();
    const list = async (request: Parameters<typeof clients.webhook.listDeliveries>[0]) =>
      (await clients.webhook.listDeliveries(request)).deliveries;
    expect((await list({ state: DeliveryState.DELIVERED })).map((one) => one.endpointId)).toEqual([good, good, good]);
    expect((await list({ state: DeliveryState.PENDING })).map((one) => one.endpointId)).toEqual([bad, bad, bad]);
    expect(await list({ state: DeliveryState.FAILED })).toEqual([]);
    expect((await list({ endpointId: bad })).map((one) => one.sequence)).toEqual([3n, 2n, 1n]);
    const [newest] = await list({});
    expect(await list({ eventId: newest?.eventId ?? "" })).toHaveLength(2);
    expect(await list({ eventId: newest?.eventId ?? "", endpointId: good })).toHaveLength(1);
  });
});
