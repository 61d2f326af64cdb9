import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { AttemptErrorKindSchema, DeliveryStateSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import {
  answering,
  badTls,
  breaking,
  byTls,
  hanging,
  notAccepting,
  onConnection,
  overflowing,
  type StartReceiver,
  speakingPlainly,
} from "../support/misbehaving.ts";
import { setupDeliveries } from "./deliveries.ts";

// Receivers that do what receivers do. Each is dealt with in one attempt, its slot is free for the next, and the schedule
// goes on.

const FIRST_RETRY_MS = { from: 5_000, to: 6_000 };

/** Delivers one event to each receiver and to one that works, through a few slots. Answers what came of the first ones. */
async function deliverTo(receivers: Record<string, StartReceiver>, deliveryTimeoutMs: number, slots: number) {
  const config = { deliveryTimeoutMs, deliveryLeaseMs: 60_000, deliveryConcurrencyMax: slots };
  const { app, clients, clock, endpointId, list, receiver: working } = await setupDeliveries(0, config);
  const names = new Map<string, string>();
  for (const [name, start] of Object.entries(receivers)) {
    const { endpoint } = await clients.webhook.createEndpoint({ url: await start() });
    names.set(endpoint?.id ?? "", name);
    await clients.webhook.sendTestEvent({ endpointId: endpoint?.id ?? "" });
  }
  await clients.webhook.sendTestEvent({ endpointId });
  expect(await deliver(app)).toBe(names.size + 1);
  expect(working.got).toHaveLength(1);
  const outcomes: Record<string, string> = {};
  for (const { id, endpointId, state, nextAttemptAt } of await list()) {
    const name = names.get(endpointId);
    if (name === undefined) continue;
    const { delivery } = await clients.webhook.getDelivery({ id });
    expect(delivery?.attempts).toHaveLength(1);
    const { errorKind, error, responseBody, status } = delivery?.attempts[0] ?? { errorKind: 0, error: "" };
    expect(responseBody?.length).toBeLessThanOrEqual(4_096);
    const waitMs = nextAttemptAt ? timestampMs(nextAttemptAt) - clock.now().getTime() : undefined;
    const onSchedule = waitMs && waitMs >= FIRST_RETRY_MS.from && waitMs <= FIRST_RETRY_MS.to;
    const next = onSchedule
      ? "tried again on schedule"
      : waitMs
        ? `tried again in ${waitMs / 1000} s`
        : DeliveryStateSchema.value[state]?.localName;
    outcomes[name] = `${AttemptErrorKindSchema.value[errorKind]?.localName}: ${error || status}; ${next}`;
  }
  return { outcomes, clients, idOf: new Map([...names].map(([id, name]) => [name, id])) };
}

/** What the first attempt of each is to come to, where they all fail so. */
function allSo(receivers: Record<string, StartReceiver>, outcome: string): Record<string, string> {
  return Object.fromEntries(Object.keys(receivers).map((name) => [name, outcome]));
}

test("receivers that hang are given up at the deadline", async () => {
  const receivers = { ...hanging, "accepts TLS and never agrees on it": byTls(onConnection(() => {})) };
  const { outcomes } = await deliverTo(receivers, 1_000, 16);
  expect(outcomes).toEqual(allSo(receivers, "TIMEOUT: no complete answer within 1 s; tried again on schedule"));
});

test("a receiver that accepts no connection is given up, at the deadline or before", async () => {
  const { outcomes } = await deliverTo({ full: notAccepting }, 1_000, 1);
  expect(outcomes.full).toMatch(
    /^(CONNECT: the connection timed out .*|TIMEOUT: .* within 1 s); tried again on schedule$/,
  );
});

test("receivers that break off, or say what is not HTTP", async () => {
  const nobody = async () => "http://127.0.0.1:1/";
  const unknown = async () => "http://nowhere.invalid/";
  const receivers = { ...breaking, "is nobody": nobody, "has no address": unknown };
  const { outcomes } = await deliverTo(receivers, 10_000, 1);
  expect(outcomes).toEqual({
    "has headers without end": expect.stringMatching(/^TOO_LARGE: .* larger than 16 KiB; tried again on schedule$/),
    "has a header of a megabyte": expect.stringMatching(/^TOO_LARGE: .* larger than 16 KiB; tried again on schedule$/),
    "resets in the middle of the body": expect.stringMatching(
      /^RESET: the connection broke .*; tried again on schedule$/,
    ),
    "resets before it answers": expect.stringMatching(/^RESET: the connection broke .*; tried again on schedule$/),
    "hangs up without a word": expect.stringMatching(/^RESET: the connection broke .*; tried again on schedule$/),
    "switches protocols": expect.stringMatching(/^RESET: the connection broke .*; tried again on schedule$/),
    "speaks another protocol": "PROTOCOL: the answer is not valid HTTP; tried again on schedule",
    "cannot count its chunks": "PROTOCOL: the answer is not valid HTTP; tried again on schedule",
    "names two lengths": "PROTOCOL: the answer is not valid HTTP; tried again on schedule",
    "is nobody": "CONNECT: the connection was refused; tried again on schedule",
    "has no address": expect.stringMatching(/^DNS: the name does not resolve .*; tried again on schedule$/),
  });
});

test("receivers whose answer is more than anybody wants have taken it, and are read no further", async () => {
  const { outcomes } = await deliverTo(overflowing, 10_000, 1);
  expect(outcomes).toEqual(allSo(overflowing, "UNSPECIFIED: 200; DELIVERED"));
});

test("receivers whose TLS is not right", async () => {
  const receivers = badTls();
  const { outcomes } = await deliverTo({ ...receivers, plain: byTls(speakingPlainly) }, 10_000, 1);
  expect(outcomes).toEqual({
    ...Object.fromEntries(
      Object.keys(receivers).map((code) => [code, `TLS: TLS failed (${code}); tried again on schedule`]),
    ),
    "": "UNSPECIFIED: 200; DELIVERED",
    plain: expect.stringMatching(/^TLS: TLS failed .*; tried again on schedule$/),
  });
});

test("receivers that answer, and not what was hoped for", async () => {
  const location = "http://169.254.169.254/latest/meta-data";
  const redirects = [301, 302, 303, 307, 308];
  const receivers = {
    ...Object.fromEntries(redirects.map((status) => [status, answering(status, { location })])),
    failing: answering(500, {}),
    busy: answering(429, { "retry-after": "90" }),
    "busy for a year": answering(503, { "retry-after": "31536000" }),
    gone: answering(410, {}),
  };
  const { outcomes, clients, idOf } = await deliverTo(receivers, 10_000, 1);
  expect(outcomes).toEqual({
    ...Object.fromEntries(
      redirects.map((status) => [
        status,
        `REDIRECT: the receiver answered ${status}, and redirects are not followed; tried again on schedule`,
      ]),
    ),
    failing: "STATUS: the receiver answered 500; tried again on schedule",
    busy: "STATUS: the receiver answered 429; tried again in 90 s",
    "busy for a year": "STATUS: the receiver answered 503; tried again in 3600 s",
    gone: "STATUS: the receiver answered 410; tried again on schedule", // if somebody enables it
  });
  const { endpoint } = await clients.webhook.getEndpoint({ id: idOf.get("gone") ?? "" });
  expect(endpoint?.disabledReason).toBe("the receiver answered 410: it is gone");
});
