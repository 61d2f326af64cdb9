import { expect, test } from "vitest";
import { startWorker } from "../../server/worker.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "../webhook/stage-events.ts";
import { createHere } from "./run-here.ts";

test("what was not taken is found, tried out, and sent again", { timeout: 120_000 }, async () => {
  const { run } = await createHere();
  const harness = await setup({ config: { emulator: true, deliveryScheduleMs: [0], breakerFailures: 0 } });
  const { api, app, clients, drain, tenant } = harness;
  const receiver = await startReceiver();
  receiver.behave(answer(503));
  const endpoint = (await clients.webhook.createEndpoint({ url: receiver.url })).endpoint?.id ?? "";
  await stageEvents(app, tenant.testId, times(3));
  await drain();
  harness.clock.advance(1_000);
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const usageflow = (...args: string[]) => run(args, { env });
  const json = async (...args: string[]) => JSON.parse((await usageflow(...args, "--json")).stdout);
  const worker = startWorker(app);
  try {
    const tried = await usageflow("endpoints", "test", endpoint);
    expect(tried).toMatchObject({ code: 1, stdout: expect.stringContaining("webhook.test") });
    expect(tried.stderr).toBe("Error: the test failed: the receiver answered 503\n");
    const filter = ["--status", "5xx", "--type", "invoice.*", "--customer", "1", "--state", "failed"];
    const { deliveries } = await json("deliveries", "list", ...filter, "--from", "2015-01-01", "--oldest-first");
    expect(deliveries).toMatchObject([{ customerId: "1", lastStatus: 503 }]);
    const [{ id, eventId }] = deliveries;
    const { events } = await json("events", "list", "--type", "invoice.*", "--customer", "1");
    expect(events).toMatchObject([{ id: eventId, type: "invoice.finalized" }]);
    expect(await json("events", "show", eventId)).toMatchObject({ data: { invoice: { customerId: "1" } } });
    expect((await usageflow("events", "show", eventId)).stdout).toContain('"customerId": "1"');

    receiver.behave(answer(204));
    expect(await usageflow("endpoints", "test", endpoint)).toMatchObject({ code: 0, stderr: "" });
    expect(await usageflow("deliveries", "retry", id)).toMatchObject({ code: 0, stdout: `${id}\n` });
    expect(await json("events", "resend", eventId, "--endpoint", endpoint)).toMatchObject({ id, eventId });
    const state = async () => (await json("deliveries", "show", id)).state;
    await expect.poll(state, { timeout: 30_000 }).toBe("DELIVERY_STATE_DELIVERED");

    const replay = ["deliveries", "replay", "--endpoint", endpoint, "--type", "invoice.*"];
    expect(await usageflow(...replay, "--dry-run")).toEqual({
      ...{ code: 0, stdout: "2\n", stderr: "2 deliveries would be sent again.\n" },
    });
    const watched = await json(...replay, "--watch");
    expect(watched).toMatchObject({ state: "REPLAY_STATE_COMPLETED", totalCount: "2", doneCount: "2" });
    expect((await json("replays", "list")).replays).toMatchObject([{ id: watched.id }]);
    expect((await usageflow("replays", "show", watched.id)).stdout).toMatch(/^State +completed$/m);
    expect(await usageflow("replays", "cancel", watched.id)).toMatchObject({ code: 0 });
    expect((await usageflow("replays", "show", "rpl_0000000000000000000001")).code).toBe(4);
  } finally {
    await worker.close();
  }
});
