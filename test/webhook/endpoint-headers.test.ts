import { describe, expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { stageEvents, times } from "./stage-events.ts";

const emulator = { config: { emulator: true } };
const url = "http://localhost:4000/webhooks";

describe("headers of an endpoint", () => {
  test("are sent with each message beside ours, and shown by name alone", async () => {
    const { app, clients, drain, ownerDb, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    const headers = { Authorization: "Bearer s3cret", "x-team": "a b" };
    const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url, headers });
    expect(endpoint?.headerNames).toEqual(["authorization", "x-team"]);
    const seen = (await clients.webhook.listEndpoints({})).endpoints;
    expect(JSON.stringify(seen, (_, value) => String(value))).not.toContain("s3cret");
    const stored = await ownerDb.selectFrom("endpoint").selectAll().execute();
    expect(stored[0]?.headers_sealed?.toString("latin1")).not.toContain("s3cret");
    await stageEvents(app, tenant.testId, times(1));
    await drain();
    expect(receiver.got[0]?.headers).toMatchObject({
      authorization: "Bearer s3cret",
      "x-team": "a b",
      "content-type": "application/json",
      "webhook-id": expect.stringMatching(/^evt_/),
    });
  });

  test("stay when an update does not name them, and are replaced whole when it does", async () => {
    const { app, clients, drain, tenant } = await setup(emulator);
    const receiver = await startReceiver();
    const made = await clients.webhook.createEndpoint({
      ...{ url: receiver.url, headers: { "x-a": "1", "x-b": "2" } },
      metadata: { team: "billing", constructor: "ü" },
    });
    const id = made.endpoint?.id ?? "";
    const told = async () => {
      await stageEvents(app, tenant.testId, times(1));
      await drain();
      const { "x-a": a, "x-b": b, "x-c": c } = receiver.got.at(-1)?.headers ?? {};
      return [a, b, c];
    };
    const kept = await clients.webhook.updateEndpoint({ id, url: receiver.url });
    expect(kept.endpoint).toEqual(made.endpoint);
    expect(kept.endpoint?.metadata).toEqual({ team: "billing", constructor: "ü" });
    expect(await told()).toEqual(["1", "2", undefined]);
    const changed = await clients.webhook.updateEndpoint({
      ...{ id, url: receiver.url, headers: { values: { "x-c": "3" } }, metadata: { values: { a: "" } } },
    });
    expect(changed.endpoint).toMatchObject({ headerNames: ["x-c"], metadata: { a: "" } });
    expect(await told()).toEqual([undefined, undefined, "3"]);
    const none = await clients.webhook.updateEndpoint({ id, url: receiver.url, headers: {}, metadata: {} });
    expect(none.endpoint).toMatchObject({ headerNames: [], metadata: {} });
    expect(await told()).toEqual([undefined, undefined, undefined]);
  });

  test("do not go along to another server: whoever sends them there has to know them", async () => {
    const { clients } = await setup(emulator);
    const headers = { authorization: "Bearer s3cret" };
    const { endpoint } = await clients.webhook.createEndpoint({ url, headers });
    const id = endpoint?.id ?? "";
    const update = (to: string, more = {}) => clients.webhook.updateEndpoint({ id, url: to, ...more });
    for (const other of [
      "http://localhost:4001/webhooks",
      "https://localhost:4000/",
      "http://127.0.0.1:4000/webhooks",
    ]) {
      expect(await refused(update(other))).toMatchObject({ code: 3, field: "headers" });
    }
    expect((await clients.webhook.getEndpoint({ id })).endpoint).toMatchObject({ url, headerNames: ["authorization"] });
    const path = "http://localhost:4000/other?path=1";
    expect((await update(path)).endpoint).toMatchObject({ url: path, headerNames: ["authorization"] });
    const [other, third] = ["http://localhost:4001/webhooks", "http://localhost:4002/webhooks"];
    expect((await update(other, { headers: { values: headers } })).endpoint?.url).toBe(other);
    expect((await update(third, { headers: {} })).endpoint).toMatchObject({ url: third, headerNames: [] });
    expect((await update(url)).endpoint?.url).toBe(url);
  });

  test.each([
    ...["Host", "content-type", "Content-Length", "webhook-id", "Webhook-Signature", "user-agent", "accept-encoding"],
    ...["connection", "keep-alive", "proxy-authorization", "te", "trailer", "Transfer-Encoding", "upgrade", "expect"],
  ])("may not be %s", async (name) => {
    const { clients } = await setup(emulator);
    const field = `headers["${name}"]`;
    expect(await refused(clients.webhook.createEndpoint({ url, headers: { [name]: "x" } }))).toMatchObject({ field });
  });

  test("may not be there twice, nor hold what breaks a line, nor be more than 20", async () => {
    const { clients } = await setup(emulator);
    const twentyOne = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`x-${index}`, "x"]));
    for (const headers of [
      { "x-a": "1", "X-A": "2" },
      ...["a\r\nb: c", "a\nb", "ü", " a", "a ", "", "\t", "a".repeat(2_049)].map((value) => ({ "x-a": value })),
      ...["x a", "x:a", "ü", "", "__proto__", ":path", "x".repeat(65)].map((name) => ({ [name]: "x" })),
      twentyOne,
    ]) {
      expect(await refused(clients.webhook.createEndpoint({ url, headers }))).toMatchObject({ code: 3 });
    }
    expect((await clients.webhook.listEndpoints({})).endpoints).toEqual([]);
  });
});
