import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "./stage-events.ts";

const MINUTE_MS = 60_000;

async function start() {
  const harness = await setup({ config: { emulator: true, breakerFailures: 0, deliveryScheduleMs: [0, MINUTE_MS] } });
  const { app, clients, tenant } = harness;
  const receiver = await startReceiver();
  const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url });
  const stage = (count: number) => stageEvents(app, tenant.testId, times(count));
  const dispatch = async () => {
    while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  };
  return {
    ...harness,
    receiver,
    endpointId: endpoint?.id ?? "",
    stage,
    dispatch,
    async send(count: number) {
      await stage(count);
      await dispatch();
      await deliver(app);
    },
    activity: () => clients.webhook.getDeliveryActivity({}),
  };
}

test("attempts of the last hour are told by what became of them, with how long they took", async () => {
  const { clock, ownerDb, receiver, send, activity } = await start();
  const none = await activity();
  expect(none).toMatchObject({ successCount: 0n, pendingCount: 0n, undispatchedCount: 0n });
  expect([none.durationP50, none.dueSince, none.undispatchedSince]).toEqual([undefined, undefined, undefined]);
  await send(1);
  clock.advance(30 * MINUTE_MS);
  await send(3);
  receiver.behave(answer(503));
  await send(2);
  receiver.behave((response) => response.destroy());
  await send(1);
  await sql`update delivery_attempt set duration_us = 2000 where status = 204`.execute(ownerDb);
  await sql`update delivery_attempt set duration_us = 2001000 where status <> 204`.execute(ownerDb);
  const all = await activity();
  expect(all).toMatchObject({ successCount: 4n, refusedCount: 2n, unansweredCount: 1n, pendingCount: 3n });
  expect([all.durationP50, all.durationP99].map((one) => one && durationMs(one))).toEqual([2, 2001]);
  expect(all.since && timestampDate(all.since).getTime()).toBe(clock.now().getTime() - 60 * MINUTE_MS);
  clock.advance(31 * MINUTE_MS);
  expect(await activity()).toMatchObject({ successCount: 3n, refusedCount: 2n });
});

test("of more than 10,000 attempts the last are looked at, and the answer says since when", async () => {
  const { clock, ownerDb, tenant, activity } = await start();
  const first = clock.now();
  await sql`
    insert into delivery_attempt (tenant_id, delivery_id, number, sent_at, duration_us, status, error, response_body, xid)
    select ${tenant.testId}::uuid, gen_random_uuid(), 1, ${first}::timestamptz + place * interval '1 millisecond', 1000,
      case when place <= 2 then 500 else 200 end, '', '', (place::text)::xid8
    from generate_series(1, 10002) as place`.execute(ownerDb);
  clock.advance(MINUTE_MS);
  const { since, ...counts } = await activity();
  expect(counts).toMatchObject({ successCount: 10_000n, refusedCount: 0n });
  expect(since && timestampDate(since).getTime()).toBe(first.getTime() + 3);
});

test("what is due, and not for a reason of its own waiting, says since when; so do events without deliveries", async () => {
  const { clock, clients, endpointId, stage, dispatch, activity } = await start();
  await stage(2);
  const staged = await activity();
  expect(staged).toMatchObject({ undispatchedCount: 2n, pendingCount: 0n });
  const waits = staged.undispatchedSince && timestampDate(staged.undispatchedSince).getTime();
  expect(Math.abs(Date.now() - (waits ?? 0))).toBeLessThan(MINUTE_MS);
  await dispatch();
  const due = clock.now();
  clock.advance(5 * MINUTE_MS);
  const waiting = await activity();
  expect(waiting).toMatchObject({ undispatchedCount: 0n, pendingCount: 2n });
  expect(waiting.dueSince && timestampDate(waiting.dueSince)).toEqual(due);
  await clients.webhook.pauseEndpoint({ id: endpointId });
  const paused = await activity();
  expect([paused.pendingCount, paused.dueSince]).toEqual([2n, undefined]);
});

test("what is sent again by hand has no time at which it was due", async () => {
  const { clients, send, activity } = await start();
  await send(1);
  const [delivered] = (await clients.webhook.listDeliveries({})).deliveries;
  await clients.webhook.retryDelivery({ id: delivered?.id ?? "" });
  const { pendingCount, dueSince } = await activity();
  expect({ pendingCount, dueSince }).toEqual({ pendingCount: 1n, dueSince: undefined });
});
