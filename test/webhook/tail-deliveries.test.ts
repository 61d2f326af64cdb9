import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { StatusClass } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { TailDeliveriesResponse } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { HEARTBEAT_MS } from "../../server/rpc/streams.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { collect } from "../support/collect.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { stageEvents, times } from "./stage-events.ts";

const attemptsOf = (got: readonly TailDeliveriesResponse[]) =>
  got.flatMap(({ message }) => (message.case === "attempt" ? [message.value] : []));
const sequencesOf = (got: readonly TailDeliveriesResponse[]) =>
  attemptsOf(got).map(({ delivery }) => Number(delivery?.sequence));
const isReady = (got: readonly TailDeliveriesResponse[]) => got.length > 0;

async function start() {
  const harness = await setup({ config: { emulator: true, breakerFailures: 0, deliveryScheduleMs: [0, 1_000] } });
  const { app, clients, tenant } = harness;
  const receiver = await startReceiver();
  const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url });
  const send = async (count: number) => {
    await stageEvents(app, tenant.testId, times(count));
    while ((await dispatchEvents(app, [fanOut(app)])) > 0);
    await deliver(app);
  };
  const tail = (request: object = {}, of = clients) =>
    collect((signal) => of.webhook.tailDeliveries(request, { signal }));
  /** Attempts are told when no older transaction is under way, of whichever database of the server: waits until so many are. */
  const areTold = (count: number) => tail({ last: count }).until((got) => attemptsOf(got).length === count);
  return { ...harness, receiver, endpointId: endpoint?.id ?? "", send, tail, areTold };
}

describe("a tail of deliveries", () => {
  test("brings each attempt as it is made, to two clients alike", async () => {
    const { receiver, send, tail } = await start();
    receiver.behave(answer(503, "busy", { "x-why": "load" }));
    const tails = [tail(), tail()];
    for (const one of tails) await one.until(isReady);
    await send(2);
    for (const one of tails) {
      const attempts = attemptsOf(await one.until((got) => attemptsOf(got).length === 2));
      // In the order in which they were settled, which is no order.
      expect(attempts.toSorted((a, b) => Number(a.delivery?.sequence) - Number(b.delivery?.sequence))).toMatchObject([
        {
          delivery: { eventType: "invoice.finalized", customerId: "0", sequence: 1n },
          attempt: { number: 1, status: 503, responseBody: "busy", responseHeaders: { "x-why": "load" } },
        },
        { delivery: { customerId: "1" } },
      ]);
    }
  });

  test("goes on from its cursor: what was made meanwhile comes once, with more pages than one", async () => {
    const { send, tail } = await start();
    const first = tail();
    await first.until(isReady);
    await send(3);
    const before = (await first.until((got) => attemptsOf(got).length === 3)).slice(0, -1);
    first.stop();
    await send(450);
    const second = await tail({ cursor: before.at(-1)?.cursor ?? "" }).until((got) => attemptsOf(got).length >= 451);
    const all = [...sequencesOf(before), ...sequencesOf(second)];
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 453 }, (_, at) => at + 1));
  });

  test("misses nothing that commits late, and shows nothing before what may still come ahead of it", async () => {
    const { ownerDb, send, tail, tenant, areTold } = await start();
    await send(1);
    await areTold(1);
    const late = await ownerDb.startTransaction().execute();
    await sql`update delivery_attempt set xid = pg_current_xact_id() where tenant_id = ${tenant.testId}`.execute(late);
    const watched = tail();
    await watched.until(isReady);
    await send(1); // commits first, with a later transaction
    expect(attemptsOf(watched.got)).toEqual([]);
    await late.commit().execute();
    expect(sequencesOf(await watched.until((got) => attemptsOf(got).length === 2))).toEqual([1, 2]);
  });

  test("is narrowed like a list, and begins with the last that match", async () => {
    const { clients, clock, endpointId, receiver, send, tail, areTold } = await start();
    await clients.webhook.createEndpoint({ url: `${receiver.url}?bad`, eventTypes: ["invoice.finalized"] });
    receiver.behave((response, { path }) => response.writeHead(path.endsWith("bad") ? 500 : 200).end());
    await send(3);
    await areTold(6);
    const last = async (request: object) => {
      const watched = tail({ last: 10, ...request });
      while (!watched.got.some(({ message }) => message.case === "heartbeat")) {
        clock.advance(HEARTBEAT_MS); // one comes when there is nothing more
        await new Promise(setImmediate);
      }
      return attemptsOf(watched.got).map(({ delivery, attempt }) => [delivery?.customerId, attempt?.status]);
    };
    const taken = await last({ endpointId }); // in the order in which they were settled
    expect(taken.toSorted()).toEqual([
      ["0", 200],
      ["1", 200],
      ["2", 200],
    ]);
    expect(await last({ statusClass: StatusClass.SERVER_ERROR })).toHaveLength(3);
    expect(await last({ statusClass: StatusClass.SERVER_ERROR, customerId: "1" })).toEqual([["1", 500]]);
    expect(await last({ eventTypes: ["customer.*"] })).toEqual([]);
    expect(await last({ last: 2, endpointId })).toEqual(taken.slice(1));
  });

  test("proves that it lives when nothing happens, and takes its cursor along", async () => {
    const { clock, send, tail, areTold } = await start();
    const watched = tail({ customerId: "nobody" });
    await watched.until(isReady);
    const [ready] = watched.got;
    await send(1);
    await areTold(1);
    const heartbeats = () => watched.got.slice(1);
    while ((heartbeats().at(-1)?.cursor ?? ready?.cursor) === ready?.cursor) {
      clock.advance(HEARTBEAT_MS);
      await new Promise(setImmediate);
    }
    expect(new Set(heartbeats().map(({ message }) => message.case))).toEqual(new Set(["heartbeat"]));
    const again = tail({ cursor: heartbeats().at(-1)?.cursor });
    await again.until(isReady);
    await send(1);
    expect(sequencesOf(await again.until((all) => attemptsOf(all).length > 0))).toEqual([2]);
  });

  test("refuses what it cannot do: a foreign or broken cursor, an unknown type", async () => {
    const { addOrganization, clientsFor, tail } = await start();
    const [ready] = await tail().until(isReady);
    const other = clientsFor((await addOrganization("Other")).testKey);
    for (const request of [{ cursor: ready?.cursor }, { cursor: "abc" }]) {
      expect(await refused(Promise.reject(await tail(request, other).ended))).toMatchObject({
        code: 3,
        field: "cursor",
      });
    }
    const unknown = { eventTypes: ["invoice.payed"] };
    expect(await refused(Promise.reject(await tail(unknown).ended))).toMatchObject({
      code: 3,
      field: "event_types[0]",
    });
    const tooMany = { last: 1_001 };
    expect(await refused(Promise.reject(await tail(tooMany).ended))).toMatchObject({ code: 3, field: "last" });
  });
});
