import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { AttemptErrorKind, DeliveryState, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { expireListeners } from "../../server/webhook/expire-listeners.ts";
import { HOLD_RENEW_MS } from "../../server/webhook/listener.ts";
import { refused } from "../support/refused.ts";
import { deliveries, deliveriesOf, isOpen, numbersOf, setupListening } from "./listening.ts";
import { times } from "./stage-events.ts";

const HOUR = 60 * 60_000;
const refusal = async ({ ended }: { ended: Promise<unknown> }) => refused(Promise.reject(await ended));

describe("a listener", () => {
  test("gets events like every endpoint: in order, signed, and each answer is an attempt in the log", async () => {
    const { acknowledge, app, clients, happen, listen } = await setupListening();
    await happen(times(1)); // before anybody listened
    const stream = listen({ eventTypes: ["invoice.*"] });
    const [first] = await stream.until(isOpen);
    if (first?.message.case !== "ready") throw new Error("not ready");
    const { endpoint, secret, waitingCount } = first.message.value;
    expect([endpoint?.listenerName, endpoint?.url, waitingCount]).toEqual(["laptop", "", 0n]);
    await happen(["invoice.finalized", "invoice.paid"]);
    expect(await deliver(app)).toBe(0);
    const [one, two] = deliveriesOf(await stream.until(deliveries(2)));
    expect([one, two]).toMatchObject([
      { sequence: 1n, attempt: 1, eventType: "invoice.finalized", customerId: "0" },
      { sequence: 2n, eventType: "invoice.paid" },
    ]);
    const body = Buffer.from(one?.body ?? []).toString();
    expect(new Webhook(secret).verify(body, one?.headers ?? {})).toMatchObject({ type: one?.eventType, sequence: "1" });
    expect(one?.headers).toMatchObject({ "content-type": "application/json", "webhook-id": one?.eventId });

    const answer = { responseHeaders: { "x-by": "rails" }, responseBody: "ok", duration: { seconds: 1n, nanos: 0 } };
    expect(await acknowledge(one as never, answer)).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 1 });
    const { delivery } = await clients.webhook.getDelivery({ id: one?.deliveryId ?? "" });
    expect(delivery?.attempts).toMatchObject([
      { number: 1, status: 204, worker: "laptop 1", responseHeaders: { "x-by": "rails" }, responseBody: "ok" },
    ]);
    const endpoints = (await clients.webhook.listEndpoints({})).endpoints;
    expect(endpoints).toMatchObject([{ id: endpoint?.id, listenerName: "laptop", eventTypes: ["invoice.*"] }]);
  });

  test("goes on where its client stopped: what was acknowledged is over, the rest comes, once", async () => {
    const { acknowledge, happen, listen } = await setupListening();
    const stream = listen();
    await stream.until(isOpen);
    await happen(times(3));
    const [, two] = deliveriesOf(await stream.until(deliveries(3)));
    stream.stop();
    await stream.ended;
    await happen(times(2));
    await acknowledge(two as never); // the stream it came in is gone
    const next = listen({ client: "laptop 2", takeOver: true }); // the server may not have noticed yet
    const [ready] = await next.until(deliveries(4));
    expect(ready?.message.value).toMatchObject({ waitingCount: 4n });
    expect(numbersOf(next.got)).toEqual([1, 3, 4, 5].map((sequence) => [sequence, 1]));
  });

  test("gets again what was not taken, when it is due, until the schedule is used up", async () => {
    const { acknowledge, clients, clock, happen, listen } = await setupListening();
    await clients.webhook.listEndpoints({});
    const stream = listen();
    await stream.until(isOpen);
    await happen(times(1));
    const [one] = deliveriesOf(await stream.until(deliveries(1)));
    const refusedIt = { status: 0, errorKind: AttemptErrorKind.CONNECT };
    expect(await acknowledge(one as never, refusedIt)).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 1 });
    expect(await acknowledge(one as never)).toMatchObject({ state: DeliveryState.PENDING, attemptCount: 1 }); // told before
    clock.advance(1_500);
    const [, again] = deliveriesOf(await stream.until(deliveries(2)));
    expect(again).toMatchObject({ deliveryId: one?.deliveryId, attempt: 2, eventId: one?.eventId, body: one?.body });
    const failed = { status: 500, responseBody: "no" };
    expect(await acknowledge(again as never, failed)).toMatchObject({ state: DeliveryState.FAILED, attemptCount: 2 });
    expect(await acknowledge(again as never)).toMatchObject({ state: DeliveryState.FAILED }); // over
    const { delivery } = await clients.webhook.getDelivery({ id: one?.deliveryId ?? "" });
    expect(delivery?.attempts).toMatchObject([
      { status: 0, errorKind: AttemptErrorKind.CONNECT, error: expect.stringContaining("refused") },
      { status: 500, errorKind: AttemptErrorKind.STATUS, responseBody: "no" },
    ]);
    await clients.webhook.retryDelivery({ id: one?.deliveryId ?? "" });
    expect(numbersOf(await stream.until(deliveries(3)))).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
  });

  test("that is ordered gets a customer's next event when the one before is over, and others meanwhile", async () => {
    const { acknowledge, clock, happen, listen } = await setupListening();
    const stream = listen({ ordered: true });
    await stream.until(isOpen);
    await happen(times(2)); // customers 0 and 1
    await happen(times(2));
    const [zero, one] = deliveriesOf(await stream.until(deliveries(2)));
    await acknowledge(zero as never, { status: 500 });
    await acknowledge(one as never);
    expect(numbersOf(await stream.until(deliveries(3)))).toEqual([
      [1, 1],
      [2, 1],
      [4, 1],
    ]);
    clock.advance(1_500);
    const again = deliveriesOf(await stream.until(deliveries(4)))[3];
    await acknowledge(again as never);
    expect(numbersOf(await stream.until(deliveries(5))).slice(3)).toEqual([
      [1, 2],
      [3, 1],
    ]);
  });

  test("has no more than 64 deliveries under way, and room as they are acknowledged", async () => {
    const { acknowledge, happen, listen } = await setupListening();
    const stream = listen();
    await stream.until(isOpen);
    await happen(times(100));
    const got = deliveriesOf(await stream.until(deliveries(64)));
    expect(got).toHaveLength(64);
    await Promise.all(got.slice(0, 10).map((one) => acknowledge(one)));
    const numbers = numbersOf(await stream.until(deliveries(74)));
    expect(numbers.map(([sequence]) => sequence)).toEqual(Array.from({ length: 74 }, (_, at) => at + 1));
  });

  test("is not streamed again what is under way, when others that come before it are due again, or it was paused", async () => {
    const { acknowledge, clients, clock, happen, listen } = await setupListening();
    const stream = listen();
    const [ready] = await stream.until(isOpen);
    await happen(times(70));
    const [one, two] = deliveriesOf(await stream.until(deliveries(64)));
    await acknowledge(one as never, { status: 500 });
    await stream.until(deliveries(65));
    clock.advance(2_000);
    await acknowledge(two as never); // for room: the first is due again, and 65 are under way
    const again = deliveriesOf(await stream.until(deliveries(66))).at(-1);
    expect(numbersOf(stream.got).at(-1)).toEqual([1, 2]);
    await acknowledge(again as never);
    await stream.until(deliveries(67));
    const id = ready?.message.case === "ready" ? (ready.message.value.endpoint?.id ?? "") : "";
    await clients.webhook.pauseEndpoint({ id });
    clock.advance(HOLD_RENEW_MS);
    await stream.until((got) => got.some(({ message }) => message.case === "heartbeat"));
    await clients.webhook.resumeEndpoint({ id });
    await acknowledge(deliveriesOf(stream.got)[2] as never);
    await stream.until(deliveries(68));
    const numbers = numbersOf(stream.got);
    expect(new Set(numbers.map(String)).size).toBe(numbers.length);
    expect(numbers.slice(66)).toEqual([
      [66, 1],
      [67, 1],
    ]);
  });

  test("signs with the secret that its client is shown, and with no other kind", async () => {
    const { clients, listen } = await setupListening();
    const [ready] = await listen().until(isOpen);
    const id = ready?.message.case === "ready" ? (ready.message.value.endpoint?.id ?? "") : "";
    const rotated = clients.webhook.rotateEndpointSecret({ id, signatureKind: SignatureKind.V1A });
    expect(await refused(rotated)).toMatchObject({ code: 9 });
    const { secret } = await clients.webhook.rotateEndpointSecret({ id });
    const [again] = await listen().until(isOpen);
    expect(again?.message.value).toMatchObject({ secret });
  });

  test("has one client at a time: another is refused, the same one comes back, and one may take over", async () => {
    const { clock, listen } = await setupListening();
    const first = listen();
    await first.until(isOpen);
    expect(await refusal(listen({ client: "desktop 1" }))).toMatchObject({ code: 6, field: "name" });
    const back = listen(); // its connection was cut, and the server has not noticed
    await back.until(isOpen);
    clock.advance(HOLD_RENEW_MS);
    expect(await refusal(first)).toMatchObject({ code: 9 });
    const other = listen({ client: "desktop 1", takeOver: true });
    await other.until(isOpen);
    clock.advance(HOLD_RENEW_MS);
    expect(await refusal(back)).toMatchObject({ code: 9 });
    other.stop();
    await other.ended;
    await expect
      .poll(
        async () => {
          const next = listen({ client: "desktop 2" });
          return Promise.race([next.until(isOpen).then(() => "open"), next.ended.then(() => "refused")]);
        },
        { timeout: 60_000 },
      )
      .toBe("open");
  });

  test("may begin anew, or with other types: what waits and is not asked for is given up", async () => {
    const { clients, happen, listen } = await setupListening();
    const stream = listen();
    await stream.until(isOpen);
    stream.stop();
    await happen(["invoice.finalized", "invoice.paid"]);
    const narrow = listen({ eventTypes: ["invoice.paid"] });
    expect(numbersOf(await narrow.until(deliveries(1)))).toEqual([[2, 1]]);
    narrow.stop();
    await happen(["invoice.paid", "invoice.finalized"]);
    const anew = listen({ eventTypes: ["invoice.paid"], fromNow: true });
    await anew.until(isOpen);
    await happen(["invoice.paid"]);
    expect(numbersOf(await anew.until(deliveries(1)))).toEqual([[4, 1]]);
    const { deliveries: failed } = await clients.webhook.listDeliveries({ state: DeliveryState.FAILED });
    expect(failed.map((one) => one.lastError).sort()).toEqual([
      "the client began anew",
      "the client began anew",
      "the client listens to other events now",
    ]);
  });

  test("is deleted by hand, or when nobody listened for a day; what waits for it is given up", async () => {
    const { app, clients, clock, happen, listen, ownerDb } = await setupListening();
    const stream = listen();
    await stream.until(isOpen);
    const idOf = async () => (await clients.webhook.listEndpoints({})).endpoints[0]?.id ?? "";
    await clients.webhook.deleteEndpoint({ id: await idOf() });
    clock.advance(HOLD_RENEW_MS);
    expect(await refusal(stream)).toMatchObject({ code: 5 });
    const next = listen();
    await next.until(isOpen);
    await happen(times(1));
    await next.until(deliveries(1));
    next.stop();
    const hold = ownerDb.selectFrom("listener").select("held_until");
    await expect
      .poll(async () => (await hold.executeTakeFirst())?.held_until, { timeout: 60_000 })
      .toEqual(clock.now()); // the server noticed
    clock.advance(23 * HOUR);
    await expireListeners(app);
    expect(await idOf()).not.toBe("");
    clock.advance(2 * HOUR);
    expect(await expireListeners(app)).toBe(1);
    expect(await idOf()).toBe("");
    expect((await clients.webhook.listDeliveries({})).deliveries).toMatchObject([
      { state: DeliveryState.FAILED, lastError: "nobody listened any more" },
    ]);
  });

  test("is paused like any endpoint, and has no URL to update", async () => {
    const { clients, happen, listen } = await setupListening();
    const stream = listen();
    await stream.until(isOpen);
    const id = (await clients.webhook.listEndpoints({})).endpoints[0]?.id ?? "";
    await clients.webhook.pauseEndpoint({ id });
    await happen(times(1));
    const update = clients.webhook.updateEndpoint({ id, url: "https://example.com/" });
    expect(await refused(update)).toMatchObject({ code: 9 });
    expect(deliveriesOf(stream.got)).toEqual([]);
    await clients.webhook.resumeEndpoint({ id });
    await stream.until(deliveries(1));
  });
});

describe("an acknowledgement", () => {
  test("is refused for what is another tenant's, goes to a URL, or says nothing", async () => {
    const harness = await setupListening({ emulator: true });
    const { acknowledge, addOrganization, clients, clientsFor, happen, listen } = harness;
    await clients.webhook.createEndpoint({ url: "http://localhost:1/" });
    const stream = listen();
    await stream.until(isOpen);
    await happen(times(1));
    const [one] = deliveriesOf(await stream.until(deliveries(1)));
    const told = { deliveryId: one?.deliveryId ?? "", attempt: 1, client: "x", status: 200 };
    const stranger = clientsFor((await addOrganization("Other")).testKey);
    expect(await refused(stranger.webhook.acknowledgeDelivery(told))).toMatchObject({ code: 5 });
    expect(await refused(acknowledge(one as never, { status: 0 }))).toMatchObject({ code: 3, field: "error_kind" });
    const all = (await clients.webhook.listDeliveries({})).deliveries;
    const other = all.find((delivery) => delivery.id !== one?.deliveryId);
    const foreign = clients.webhook.acknowledgeDelivery({ ...told, deliveryId: other?.id ?? "" });
    expect(await refused(foreign)).toMatchObject({ code: 9 });
    expect(await acknowledge(one as never, { attempt: 2 })).toMatchObject({ state: DeliveryState.PENDING });
  });
});
