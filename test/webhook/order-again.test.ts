import { describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { replayDeliveries } from "../../server/webhook/replay-deliveries.ts";
import { refused } from "../support/refused.ts";
import { disorder, HOUR, setupOrdered } from "./ordered.ts";

const { DELIVERED, PENDING } = DeliveryState;

describe("what is sent again by hand to an ordered endpoint", () => {
  test("is the first of a customer, now; not one that is held", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, drain, endpointId, make, of } = harness;
    answer("a1", 500);
    await make("aa");
    await drain();
    const [first, held] = [await of(1), await of(2)];
    expect(await refused(clients.webhook.retryDelivery({ id: held.id }))).toMatchObject({ code: 9 });
    const resent = clients.webhook.resendEvent({ eventId: held.eventId, endpointId });
    expect(await refused(resent)).toMatchObject({ code: 9 });
    await expect(clients.webhook.retryDelivery({ id: held.id })).rejects.toThrow(first.id);
    came();
    answer("a1", 204);
    await clients.webhook.retryDelivery({ id: first.id });
    await drain();
    expect(came()).toEqual(["a1", "a2"]);
    expect(await disorder(harness)).toEqual([]);
  });

  test("is one that is over, out of its order: it waits for none, and holds none", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, drain, make, of, passHour } = harness;
    answer("a2", 500);
    await make("aaa");
    await drain();
    await clients.webhook.skipDelivery({ id: (await of(2)).id });
    await drain();
    expect(came()).toEqual(["a1", "a2", "a3"]);
    answer("a4", 500);
    await make("aa");
    await drain();
    // The first of them waits for its second try; neither the one that was taken nor the one that was skipped waits for it.
    await clients.webhook.retryDelivery({ id: (await of(1)).id });
    await clients.webhook.retryDelivery({ id: (await of(2)).id });
    await drain();
    expect(came().toSorted()).toEqual(["a1", "a2", "a4"]);
    expect((await of(5)).heldBy).toBe((await of(4)).id);
    answer("a4", 204);
    answer("a2", 204);
    await clients.webhook.retryDelivery({ id: (await of(4)).id });
    await drain();
    expect(came()).toEqual(["a4", "a5"]);
    await passHour();
    expect(came()).toEqual(["a2"]);
    expect(await disorder(harness)).toEqual([]);
  });

  test("is an event that it did not get, behind what waits of its customer, and a test event before all", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, drain, endpointId, make, of, receiver, passHour } = harness;
    const other = (await clients.webhook.createEndpoint({ url: receiver.url, ordered: true })).endpoint?.id ?? "";
    await clients.webhook.updateEndpoint({ id: other, url: receiver.url, eventTypes: ["invoice.paid"] });
    answer("a1", 500);
    await make("aab");
    await drain();
    came();
    const [a, b] = [await of(2), await of(3)];
    const first = await clients.webhook.resendEvent({ eventId: a.eventId, endpointId: other });
    const second = await clients.webhook.resendEvent({ eventId: (await of(1)).eventId, endpointId: other });
    const third = await clients.webhook.resendEvent({ eventId: b.eventId, endpointId: other });
    expect(first.delivery).toMatchObject({ sequence: 1n, heldBy: "" });
    expect(second.delivery).toMatchObject({ sequence: 2n, heldBy: first.delivery?.id });
    expect(third.delivery).toMatchObject({ sequence: 3n, heldBy: "" });
    expect((await clients.webhook.sendTestEvent({ endpointId })).delivery).toMatchObject({ heldBy: "" });
    answer("a1", 204);
    await drain();
    expect(came().toSorted()).toEqual(["4", "a1", "a2", "b3"]);
    await passHour();
    expect(came()).toEqual(["a1", "a2"]);
  });
});

describe("a replay to an ordered endpoint", () => {
  test("sends what failed of a customer in its order, and holds nothing that is live", async () => {
    const harness = await setupOrdered({ deliveryScheduleMs: [0] });
    const { answer, app, came, clients, clock, drain, endpointId, make, of } = harness;
    for (const message of ["a1", "a2", "b3", "a4", "b5"]) answer(message, 500);
    await make("aabab");
    await drain();
    expect(came().filter((one) => one.startsWith("a"))).toEqual(["a1", "a2", "a4"]);
    clock.advance(HOUR);
    await clients.webhook.createReplay({ endpointId });
    await make("ab");
    for (const message of ["a1", "a2", "b3", "a4", "b5"]) answer(message, 204);
    await drain();
    const all = came();
    expect(all.filter((one) => one.startsWith("a"))).toEqual(["a6", "a1", "a2", "a4"]);
    expect(all.filter((one) => one.startsWith("b"))).toEqual(["b7", "b3", "b5"]);
    expect(await disorder(harness)).toEqual([]);
    expect(await of(1)).toMatchObject({ state: DELIVERED, attemptCount: 2 });
    expect(await deliver(app)).toBe(0);
  });

  test("of what is pending sends the first of each customer now, and leaves those that are held", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, clock, drain, endpointId, make } = harness;
    answer("a1", 500);
    await make("aaa");
    await drain();
    came();
    clock.advance(1_000);
    await clients.webhook.createReplay({ endpointId, deliveryStates: [PENDING] });
    await drain();
    expect(came()).toEqual(["a1"]);
    expect(await disorder(harness)).toEqual([]);
    answer("a1", 204);
    await clients.webhook.createReplay({ endpointId, deliveryStates: [PENDING] });
    clock.advance(1_000);
    await drain();
    expect(came()).toEqual(["a1", "a2", "a3"]);
  });

  test("hands over no more than are sent, though of a customer only one is due at a time", async () => {
    const harness = await setupOrdered({ deliveryScheduleMs: [0] });
    const { answer, app, came, clients, clock, drain, endpointId, make } = harness;
    const messages = Array.from({ length: 40 }, (_, index) => `a${index + 1}`);
    for (const message of messages) answer(message, 500);
    await make("a".repeat(40));
    await drain();
    came();
    clock.advance(1_000);
    const { replay } = await clients.webhook.createReplay({ endpointId });
    const id = replay?.id ?? "";
    for (let pass = 0; pass < 5; pass++) await replayDeliveries(app);
    expect((await clients.webhook.getReplay({ id })).replay).toMatchObject({ doneCount: 32n, waitingCount: 32n });
    for (const message of messages) answer(message, 204);
    await drain();
    expect(came()).toEqual(messages);
  });
});
