import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { forwardHint } from "../../cli/listen/forward-hint.ts";
import { AttemptErrorKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { ended } from "../support/usageflow.ts";
import { setupListening } from "../webhook/listening.ts";
import { createPlace } from "./run-cli.ts";

async function start() {
  const harness = await setupListening({ emulator: true, deliveryScheduleMs: [0, 60_000] });
  const { start: spawn } = await createPlace();
  const receiver = await startReceiver();
  const env = { USAGEFLOW_URL: harness.api.url, USAGEFLOW_API_KEY: harness.tenant.testKey };
  const endpoints = async () => (await harness.clients.webhook.listEndpoints({})).endpoints;
  return {
    ...harness,
    receiver,
    endpoints,
    /** Starts a command. */
    usageflow(...args: string[]) {
      const child = spawn(args, env);
      const said = Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
      const spoke = Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
      return {
        /** It said something. */
        spoke,
        stop: () => child.kill("SIGINT"),
        ended: said.then(([stdout, stderr, code]) => ({ stdout, stderr, code })),
      };
    },
    untilListening: () => expect.poll(async () => (await endpoints()).length, { timeout: 60_000 }).toBeGreaterThan(0),
  };
}

const jsonOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("listen", { timeout: 60_000 }, () => {
  test("ends when the event that it waits for was taken, tells each as JSON, and leaves no listener behind", async () => {
    const { clock, endpoints, happen, receiver, untilListening, usageflow } = await start();
    receiver.behave((response, { body }) => {
      const isFirst = receiver.got.filter((other) => other.body === body).length === 1;
      response.writeHead(isFirst && JSON.parse(body).type === "invoice.paid" ? 401 : 200).end("bad signature");
    });
    const listening = usageflow(
      "listen",
      "--forward-to",
      receiver.url,
      "--until",
      "invoice.paid",
      "--timeout",
      "50s",
      "--json",
    );
    await untilListening();
    await happen(["invoice.finalized", "invoice.paid"]);
    await expect.poll(() => receiver.got.length, { timeout: 60_000 }).toBe(2);
    const wait = setInterval(() => clock.advance(10_000), 50); // until it is due again
    const { code, stdout, stderr } = await listening.ended;
    clearInterval(wait);
    expect([code, stderr]).toEqual([0, ""]);
    const [ready, ...events] = jsonOf(stdout);
    expect(ready).toMatchObject({ type: "ready", forwardTo: receiver.url, secret: expect.stringMatching(/^whsec_/) });
    const told = { type: "event", errorKind: "", customerId: expect.any(String), body: expect.stringContaining("{") };
    expect(events.toSorted((a, b) => a.sequence - b.sequence || a.attempt - b.attempt)).toMatchObject([
      { ...told, eventType: "invoice.finalized", status: 200, state: "DELIVERY_STATE_DELIVERED", hint: "" },
      { ...told, eventType: "invoice.paid", attempt: 1, status: 401, hint: expect.stringContaining("raw body") },
      { ...told, eventType: "invoice.paid", attempt: 2, status: 200 },
    ]);
    expect(await endpoints()).toEqual([]);
  });

  test("says for people what came, and on failure why and what next; Ctrl-C ends it with 130", async () => {
    const { endpoints, happen, receiver, untilListening, usageflow } = await start();
    receiver.behave(answer(500, "\u001b[31mno\u001b[0m"));
    const listening = usageflow("listen", "--forward-to", receiver.url, "--name", "laptop");
    await untilListening();
    await happen(["invoice.finalized"]);
    await expect.poll(() => receiver.got.length, { timeout: 60_000 }).toBe(1);
    const other = await usageflow("listen", "--forward-to", receiver.url, "--name", "laptop").ended;
    expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining("--take-over") });
    listening.stop();
    const { code, stdout, stderr } = await listening.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d {2}invoice\.finalized {8}evt_\w{22} {2}500 {6}\d+ ms\n$/);
    expect(stderr).toMatch(/Your server answered 500\. It said: " ?\[31mno \[0m" Tried again at \d\d:\d\d:\d\d\./);
    expect(stderr).toContain("Interrupted: stopped after 0 events");
    expect(stdout + stderr).not.toContain("\u001b");
    expect(await endpoints()).toMatchObject([{ listenerName: "laptop" }]);
  });

  test("fails with 7 when it waited in vain, and with 2 when it is asked for what it does not do", async () => {
    const { receiver, usageflow } = await start();
    const late = ["listen", "--forward-to", receiver.url, "--timeout", "1s", "--count", "3", "--until"];
    const [inVain, unknown] = await Promise.all([
      usageflow(...late, "invoice.paid").ended,
      usageflow(...late, "invoice.payed").ended,
    ]);
    expect(inVain).toMatchObject({
      code: 7,
      stderr: expect.stringContaining("Error: timed out: no invoice.paid was taken; 0 of 3 events came"),
    });
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no event "invoice.payed"\nDid you mean: invoice.paid?'),
    });
    expect(await usageflow("listen", "--forward-to", "http://example.com/").ended).toMatchObject({ code: 2 });
    const alone = await usageflow("listen", "--forward-to", receiver.url, "--timeout", "1s").ended;
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("--until or --count") });
  });
});

test("after a reset of the emulator it says the new secret, and SIGTERM ends it in silence", async () => {
  const place = await createPlace();
  await place.startEmulator();
  const listening = place.start(["listen", "--forward-to", "http://127.0.0.1:1/"]);
  let said = "";
  listening.stderr.setEncoding("utf8").on("data", (part) => {
    said += part;
  });
  await expect.poll(() => said, { timeout: 60_000 }).toContain("Ready.");
  const [first] = /whsec_\S+/.exec(said) ?? [];
  await place.run(["emulator", "reset"]);
  await expect
    .poll(() => said, { timeout: 60_000 })
    .toMatch(/Connected again\. The secret is another now: whsec_\S+\n/);
  expect(said.match(/whsec_\S+/g)).toEqual([first, expect.not.stringContaining(first ?? "")]);
  const before = said;
  listening.kill("SIGTERM");
  expect([await ended(listening), said]).toEqual([143, before]);
});

test("deliveries tail shows attempts from before and as they are made", { timeout: 60_000 }, async () => {
  const { app, clients, happen, receiver, usageflow } = await start();
  receiver.behave((response, { body }) => response.writeHead(JSON.parse(body).sequence === "2" ? 500 : 204).end());
  await clients.webhook.createEndpoint({ url: receiver.url });
  await happen(["invoice.finalized", "invoice.paid"]);
  await deliver(app);
  const people = await usageflow("deliveries", "tail", "--count", "2").ended;
  expect(people).toMatchObject({ code: 0, stderr: "Ready.\n" });
  expect(people.stdout).toMatch(/^(\d\d:\d\d:\d\d {2}invoice\.\w+ +whd_\w{22} {2}(204|500) {6}\d+ ms\n){2}$/);
  const tail = usageflow("deliveries", "tail", "--last", "0", "--status", "2xx", "--count", "1", "--json");
  await tail.spoke;
  await happen(["invoice.created"]);
  await deliver(app);
  const { code, stdout } = await tail.ended;
  expect(code).toBe(0);
  const [ready, attempt] = jsonOf(stdout);
  expect(ready).toMatchObject({ type: "ready", cursor: expect.stringMatching(/./) });
  expect(attempt).toMatchObject({
    type: "attempt",
    delivery: { eventType: "invoice.created" },
    attempt: { status: 204 },
  });
});

test.each([
  [{ status: 204 }, ""],
  [{ status: 404 }, "404: is http://localhost:4000 the path of your handler?"],
  [{ status: 302 }, "302: redirects are not followed. Give the URL that it leads to."],
  [
    { errorKind: AttemptErrorKind.CONNECT },
    "The connection was refused: is your server running on http://localhost:4000?",
  ],
  [{ errorKind: AttemptErrorKind.TIMEOUT }, "No complete answer within 30 s: answer first, and work then."],
  [{ errorKind: AttemptErrorKind.RESET, status: 200 }, "The connection broke before the answer was complete."],
])("%o is told as what to look at", (told, hint) => {
  const nothing = { status: 0, errorKind: AttemptErrorKind.UNSPECIFIED, durationMs: 1, headers: {}, body: "" };
  expect(forwardHint({ ...nothing, ...told }, "http://localhost:4000")).toBe(hint);
});
