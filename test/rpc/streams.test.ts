import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startApi } from "../../server/api.ts";
import { createClients } from "../support/clients.ts";
import { collect } from "../support/collect.ts";
import { memberOf } from "../support/members.ts";
import { refused } from "../support/refused.ts";
import { stockClient } from "../support/stock-grpc.ts";
import { frameOf } from "../support/wire.ts";
import { deliveriesOf, isOpen, setupListening } from "../webhook/listening.ts";
import { times } from "../webhook/stage-events.ts";

const refusal = async ({ ended }: { ended: Promise<unknown> }) => refused(Promise.reject(await ended));
const KEY_CHECK_MS = 5_000;

describe("a stream", () => {
  test("is refused where the tenant has too many open, and opens when one has ended", async () => {
    const { clients } = await setupListening({ streamsPerTenantMax: 2 });
    const open = () => collect((signal) => clients.webhook.tailDeliveries({}, { signal }));
    const [first, second] = [open(), open()];
    await Promise.all([first.until(isOpen as never), second.until(isOpen as never)]);
    expect(await refusal(open())).toMatchObject({ code: 8 });
    second.stop();
    await expect
      .poll(
        async () => {
          const next = open();
          return Promise.race([
            next.until((got) => got.length > 0).then(() => "open"),
            next.ended.then(() => "refused"),
          ]);
        },
        { timeout: 60_000 },
      )
      .toBe("open");
  });

  test("ends when its key is revoked", async () => {
    const { clients, clientsFor, clock } = await setupListening();
    const { apiKey, secret } = await clients.tenant.createApiKey({ role: 1 });
    const stream = collect((signal) => clientsFor(secret).webhook.tailDeliveries({}, { signal }));
    await stream.until((got) => got.length > 0);
    await clients.tenant.revokeApiKey({ id: apiKey?.id ?? "" });
    clock.advance(KEY_CHECK_MS); // more than a heartbeat
    expect(await refusal(stream)).toMatchObject({ code: 16 });
  });

  test("ends when its member's role is lowered, and when the member is removed", async () => {
    const harness = await setupListening();
    const { api, clientsFor, clock, listen, tenant } = harness;
    const owner = clientsFor(tenant.ownerToken).tenant;
    const { id, token } = await memberOf(harness, tenant, Role.DEVELOPER);
    const own = createClients(api.url, token, "test");
    const listening = listen({}, own);
    const reading = collect((signal) => own.tenant.tailAuditEntries({}, { signal }));
    await Promise.all([listening.until(isOpen), reading.until((got) => got.length > 0)]);
    await owner.changeMemberRole({ id, role: Role.VIEWER });
    clock.advance(KEY_CHECK_MS);
    expect(await refusal(listening)).toMatchObject({ code: 7 });
    await owner.removeMember({ id });
    clock.advance(KEY_CHECK_MS);
    expect(await refusal(reading)).toMatchObject({ code: 16 });
  });

  test("ends when the server stops, so that its client comes back: the stop does not wait for it", async () => {
    const { addApp, listen, tenant } = await setupListening({ shutdownGraceMs: 60_000 });
    const api = await startApi(await addApp());
    const stream = listen({}, createClients(api.url, tenant.testKey));
    await stream.until(isOpen);
    await api.close();
    expect(await refusal(stream)).toMatchObject({ code: 14 });
    await listen().until(isOpen); // at another server, at once
  });

  test("ends when its client closed its half of the connection, though nothing is written that could fail", async () => {
    const { api, clients, tenant } = await setupListening({ streamsPerTenantMax: 1 });
    const socket = connectSocket({ port: api.port, host: "127.0.0.1", allowHalfOpen: true });
    const session = connect(api.url, { createConnection: () => socket });
    onTestFinished(() => session.destroy());
    const request = session.request({
      ":method": "POST",
      ":path": "/usageflow.v1.WebhookService/TailDeliveries",
      "content-type": "application/grpc",
      te: "trailers",
      "x-usageflow-api-key": tenant.testKey,
    });
    request.on("error", () => {});
    session.on("error", () => {});
    request.end(frameOf(0, new Uint8Array()));
    await once(request, "data");
    socket.end();
    await expect
      .poll(
        async () => {
          const next = collect((signal) => clients.webhook.tailDeliveries({}, { signal }));
          return Promise.race([
            next.until((got) => got.length > 0).then(() => "open"),
            next.ended.then(() => "refused"),
          ]);
        },
        { timeout: 60_000 },
      )
      .toBe("open");
  });

  test("keeps to the deadline of its client", async () => {
    const { clients } = await setupListening();
    const stream = collect((signal) => clients.webhook.tailDeliveries({}, { signal, timeoutMs: 300 }));
    await expect(Promise.reject(await stream.ended)).rejects.toMatchObject({ code: 4 });
  });

  test("is served to stock @grpc/grpc-js as well, over one connection with its acknowledgements", async () => {
    const { api, clients, happen, tenant } = await setupListening({ reflection: true });
    const client = await stockClient(`127.0.0.1:${api.port}`, "usageflow.v1.WebhookService");
    const metadata = { "x-usageflow-api-key": tenant.testKey };
    const stream = client.stream("listen", { name: "rails", client: "host 1" }, { metadata });
    const ready = await stream.next();
    expect(ready).toMatchObject({ message: "ready", ready: { endpoint: { listener_name: "rails" } } });
    await happen(times(1));
    const { delivery } = await stream.next();
    const { delivery_id, attempt } = delivery as { delivery_id: string; attempt: number };
    const told = { delivery_id, attempt, client: "host 1", status: 200 };
    const answer = await client.call("acknowledgeDelivery", told, { metadata });
    expect(answer).toMatchObject({ delivery: { state: "DELIVERY_STATE_DELIVERED" } });
    expect((await clients.webhook.listDeliveries({})).deliveries).toHaveLength(1);
    stream.cancel();
    const denied = client.stream("listen", { name: "rails" }, {});
    await expect(denied.next()).rejects.toMatchObject({ code: 16 });
  });

  test("waits for a client that takes its time, and keeps little for it", async () => {
    const { acknowledge, clients, happen } = await setupListening();
    const slow = clients.webhook.listen({ name: "slow", client: "slow 1" })[Symbol.asyncIterator]();
    await slow.next();
    await happen(times(90));
    const seen = new Set<string>();
    while (seen.size < 90) {
      const { value } = await slow.next();
      for (const one of deliveriesOf([value])) {
        expect(seen.has(one.deliveryId)).toBe(false);
        seen.add(one.deliveryId);
        await acknowledge(one);
      }
    }
    await slow.return?.();
  });
});
