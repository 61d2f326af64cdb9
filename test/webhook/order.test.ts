import { describe, expect, test } from "vitest";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { refused } from "../support/refused.ts";
import { disorder, setupOrdered } from "./ordered.ts";

const { DELIVERED, FAILED, PENDING, SKIPPED } = DeliveryState;

describe("an ordered endpoint", () => {
  test("gets the next event of a customer when it has taken the one before; others flow on", async () => {
    const harness = await setupOrdered();
    const { answer, came, drain, list, make, of, passHour } = harness;
    answer("a1", 500);
    await make("aab-a-");
    await drain();
    expect(came().sort()).toEqual(["4", "6", "a1", "b3"]);
    const first = await of(1);
    expect(first).toMatchObject({ heldBy: "", attemptCount: 1 });
    for (const held of [await of(2), await of(5)]) {
      expect(held).toMatchObject({ state: PENDING, heldBy: first.id, attemptCount: 0 });
      expect(held.nextAttemptAt).toBeUndefined();
    }
    answer("a1", 204);
    await make("ab");
    await drain();
    expect(came()).toEqual(["b8"]);
    await passHour();
    expect(came()).toEqual(["a1", "a2", "a5", "a7"]);
    expect((await list()).map(({ state, heldBy }) => [state, heldBy])).toEqual(Array(8).fill([DELIVERED, ""]));
    expect(await disorder(harness)).toEqual([]);
  });

  test("gets the next when the one before was given up, and each has all its tries", async () => {
    const { answer, came, drain, make, of, passHour } = await setupOrdered();
    answer("a1", 500);
    answer("a2", 500);
    await make("aaa");
    await drain();
    await passHour();
    await passHour();
    expect(came()).toEqual(["a1", "a1", "a1", "a2"]);
    expect(await of(1)).toMatchObject({ state: FAILED, attemptCount: 3 });
    expect((await of(3)).heldBy).toBe((await of(2)).id);
    await passHour();
    await passHour();
    expect(came()).toEqual(["a2", "a2", "a3"]);
  });

  test("keeps its queue in order while it is paused, and while it is disabled", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, drain, endpointId: id, make, passHour } = harness;
    answer("a1", 410);
    await make("aab");
    await drain();
    expect(came().sort()).toEqual(["a1", "b3"]);
    await make("ab");
    await passHour();
    answer("a1", 204);
    await clients.webhook.pauseEndpoint({ id });
    await make("b");
    await passHour();
    expect(came()).toEqual([]);
    await clients.webhook.resumeEndpoint({ id });
    await drain();
    const all = came();
    expect(all.filter((one) => one.startsWith("a"))).toEqual(["a1", "a2", "a4"]);
    expect(all.filter((one) => one.startsWith("b"))).toEqual(["b5", "b6"]);
    expect(await disorder(harness)).toEqual([]);
  });

  test("that is deleted gives up what is held, too", async () => {
    const { answer, clients, drain, endpointId, list, make, ownerDb } = await setupOrdered();
    answer("a1", 500);
    await make("aaa");
    await drain();
    await clients.webhook.deleteEndpoint({ id: endpointId });
    expect((await list()).map(({ state, heldBy }) => [state, heldBy])).toEqual(Array(3).fill([FAILED, ""]));
    expect(await ownerDb.selectFrom("delivery_due").selectAll().execute()).toEqual([]);
  });

  test("is one that is made so, or changed, and others are as they were", async () => {
    const { clients, endpointId: id, receiver } = await setupOrdered();
    const ordered = async () => (await clients.webhook.getEndpoint({ id })).endpoint?.ordered;
    expect(await ordered()).toBe(true);
    await clients.webhook.updateEndpoint({ id, url: receiver.url });
    expect(await ordered()).toBe(true);
    await clients.webhook.updateEndpoint({ id, url: receiver.url, ordered: false });
    expect(await ordered()).toBe(false);
    expect((await clients.webhook.createEndpoint({ url: receiver.url })).endpoint?.ordered).toBe(false);
  });
});

describe("order that is asked for while deliveries wait", () => {
  test("holds all but the first of each customer, also of those that are being sent", async () => {
    const harness = await setupOrdered({}, false);
    const { app, came, clients, drain, endpointId: id, make, of, passHour, receiver } = harness;
    const waiting: (() => void)[] = [];
    const asked = Promise.withResolvers<void>();
    receiver.behave((response) => {
      if (waiting.push(() => response.writeHead(500).end()) === 3) asked.resolve();
    });
    await make("aab");
    const delivering = deliver(app);
    await asked.promise;
    await clients.webhook.pauseEndpoint({ id });
    await make("aba-");
    await clients.webhook.updateEndpoint({ id, url: receiver.url, ordered: true });
    expect(await disorder(harness)).toEqual([]);
    receiver.behave((response) => response.writeHead(204).end());
    for (const answerNow of waiting) answerNow();
    await delivering;
    expect(await disorder(harness)).toEqual([]);
    expect((await of(2)).heldBy).toBe((await of(1)).id);
    expect((await of(5)).heldBy).toBe((await of(3)).id);
    await clients.webhook.resumeEndpoint({ id });
    await drain();
    expect(came().slice(3)).toEqual(["7"]);
    await passHour();
    const all = came();
    expect(all.filter((one) => one.startsWith("a"))).toEqual(["a1", "a2", "a4", "a6"]);
    expect(all.filter((one) => one.startsWith("b"))).toEqual(["b3", "b5"]);
  });

  test("is kept when the first of a customer was claimed before, and is taken after", async () => {
    const harness = await setupOrdered({}, false);
    const { app, came, clients, drain, endpointId: id, make, receiver } = harness;
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.writeHead(204).end()));
    await make("a");
    const delivering = deliver(app);
    const answerNow = await asked.promise;
    receiver.behave((response) => response.writeHead(204).end());
    await make("aa");
    await clients.webhook.updateEndpoint({ id, url: receiver.url, ordered: true });
    answerNow();
    await delivering;
    await drain();
    expect(came()).toEqual(["a1", "a2", "a3"]);
    expect(await disorder(harness)).toEqual([]);
  });

  test("ends when it is asked for no more: all flow, and those that are tried again keep their time", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, drain, endpointId: id, make, of, passHour, receiver } = harness;
    answer("a1", 500);
    await make("aaab");
    await drain();
    expect(came().sort()).toEqual(["a1", "b4"]);
    const { nextAttemptAt } = await of(1);
    await clients.webhook.updateEndpoint({ id, url: receiver.url, ordered: false });
    expect(await disorder(harness)).toEqual([]);
    expect((await of(1)).nextAttemptAt).toEqual(nextAttemptAt);
    await make("a");
    await drain();
    expect(came().sort()).toEqual(["a2", "a3", "a5"]);
    await passHour();
    expect(came()).toEqual(["a1"]);
  });
});

describe("skipDelivery", () => {
  test("gives up the first, so that the next is sent, and one that is held without a word", async () => {
    const harness = await setupOrdered();
    const { answer, came, clients, clock, drain, make, of } = harness;
    answer("a1", 500);
    await make("aaaa");
    await drain();
    const held = (await clients.webhook.skipDelivery({ id: (await of(2)).id })).delivery;
    expect(held).toMatchObject({ state: SKIPPED, heldBy: "" });
    await drain();
    expect(came()).toEqual(["a1"]);
    clock.advance(1);
    const { id } = await of(1);
    const { delivery } = await clients.webhook.skipDelivery({ id });
    expect(delivery).toMatchObject({ id, state: SKIPPED, attemptCount: 1, lastStatus: 500 });
    expect(delivery?.completedAt).toBeDefined();
    await drain();
    expect(came()).toEqual(["a3", "a4"]);
    expect((await clients.webhook.skipDelivery({ id })).delivery).toEqual(delivery);
    expect((await clients.webhook.listDeliveries({ state: SKIPPED })).deliveries.map((one) => one.sequence)).toEqual([
      2n,
      1n,
    ]);
    expect(await disorder(harness)).toEqual([]);
  });

  test("is refused for one that is over, or that is being sent, and not found for none", async () => {
    const { app, came, clients, make, of, receiver } = await setupOrdered();
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.writeHead(204).end()));
    await make("aa");
    const delivering = deliver(app);
    const answerNow = await asked.promise;
    const { id } = await of(1);
    expect(await refused(clients.webhook.skipDelivery({ id }))).toMatchObject({ code: 9 });
    receiver.behave((response) => response.writeHead(204).end());
    answerNow();
    await delivering;
    expect(await refused(clients.webhook.skipDelivery({ id }))).toMatchObject({ code: 9 });
    expect(await of(1)).toMatchObject({ state: DELIVERED });
    while ((await deliver(app)) > 0);
    expect(came()).toEqual(["a1", "a2"]);
    const none = clients.webhook.skipDelivery({ id: "whd_0000000000000000000001" });
    expect(await refused(none)).toMatchObject({ code: 5 });
  });

  test("gives up one that a worker has lost, and what that worker still writes counts for nothing", async () => {
    const { app, addApp, came, clients, clock, endpointId, make, of, ownerDb, receiver } = await setupOrdered();
    const asked = Promise.withResolvers<() => void>();
    receiver.behave((response) => asked.resolve(() => response.writeHead(204).end()));
    await make("aa");
    const delivering = deliver(app);
    const answerNow = await asked.promise;
    await clients.webhook.pauseEndpoint({ id: endpointId });
    await ownerDb.updateTable("delivery_due").set({ lease_until: clock.now() }).where("sequence", "=", 1n).execute();
    const { id } = await of(1);
    await clients.webhook.skipDelivery({ id });
    receiver.behave((response) => response.writeHead(204).end());
    await clients.webhook.resumeEndpoint({ id: endpointId });
    await deliver(await addApp());
    answerNow();
    await delivering;
    expect(await of(1)).toMatchObject({ state: SKIPPED, attemptCount: 0 });
    expect(came()).toEqual(["a1", "a2"]);
  });
});
