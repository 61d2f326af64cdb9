import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { demoCatalog } from "../../cli/demo/demo-catalog.ts";
import { startReceiver } from "../support/receiver.ts";
import { ended } from "../support/usageflow.ts";
import { createPlace, type Place } from "./run-cli.ts";
import { createHere } from "./run-here.ts";

/** What is left of emulators whose data was thrown away. */
async function leftovers({ folder }: Place): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("usageflow-"));
}

test("does the whole job, and goes on where it was after a stop and after a SIGKILL", async () => {
  const receiver = await startReceiver();
  const place = await createPlace();
  const { folder, run, startEmulator } = place;
  const here = await createHere({ USAGEFLOW_STATE_DIR: join(folder, "state") });
  const json = async (...args: string[]) => JSON.parse((await here.run([...args, "--json"])).stdout);
  const catalog = join(folder, "catalog.yaml");
  await writeFile(catalog, demoCatalog);
  const flags = ["--data", join(folder, "data"), "--catalog", catalog, "--forward-to", receiver.url];
  const first = await startEmulator(...flags, "--clock", "2015-05-21T00:00:00Z");
  expect(first.ready).toEqual({
    type: "ready",
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    apiKey: expect.stringMatching(/^uf_test_/),
    webhookSecret: expect.stringMatching(/^whsec_/),
  });
  expect((await stat(join(folder, "data/usageflow.json"))).mode & 0o777).toBe(0o600);

  const tracked = await fetch(`${first.ready.url}/api/track`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-usageflow-api-key": first.ready.apiKey },
    body: '{"metric":"API_CALL","amount":1000,"customerId":"user_123"}',
  });
  expect([tracked.status, await tracked.json()]).toMatchObject([200, { outcome: "accepted" }]);
  const lines = '{"metric":"API_CALL","amount":7,"customerId":"user_456"}\n{"metric":"API_CALLS","amount":1}\n';
  const imported = await run(["usage", "import", "-", "--json"], { input: lines });
  expect(imported).toEqual({
    code: 1,
    stdout: '{"accepted":1,"duplicate":0,"conflict":0,"rejected":1}\n',
    stderr: expect.stringMatching(/^line 2: .*\n2 lines with neither idempotencyKey nor occurredAt: .*\n$/),
  });

  expect(await json("clock", "advance", "--to", "2015-06-02")).toEqual({ now: "2015-06-02T00:00:00Z", frozen: true });
  const { invoices } = await json("invoices", "list", "--all");
  expect(invoices).toMatchObject([
    {
      number: "INV-000001",
      customerId: "user_123",
      state: "INVOICE_STATE_FINALIZED",
      currency: "USD",
      totalMinor: "5447",
    },
    {
      number: "INV-000002",
      customerId: "user_456",
      lines: [{ amountMinor: "2000" }, { amountMinor: "0" }, { amountMinor: "0" }],
    },
  ]);
  await expect
    .poll(
      async () => new Set((await json("deliveries", "list")).deliveries.map((one: { state: string }) => one.state)),
      {
        timeout: 60_000,
      },
    )
    .toEqual(new Set(["DELIVERY_STATE_DELIVERED"]));
  const [delivery] = (await json("deliveries", "list")).deliveries;
  expect(await json("deliveries", "show", delivery.id)).toMatchObject({
    ...delivery,
    attempts: [{ number: 1, status: 204, error: "", responseBody: "" }],
  });
  const shown = (await run(["deliveries", "show", delivery.id])).stdout;
  expect(shown).toMatch(/\nAttempt 1 .*\nStatus +204\nTook +\d+ ms .*first byte/);
  const { subscriptions } = await json("subscriptions", "list");
  expect(subscriptions).toMatchObject([
    { customerId: "user_123", plan: "pro", planVersion: 1 },
    { customerId: "user_456", plan: "pro", planVersion: 1 },
  ]);
  // customer.created, subscription.started, invoice.created and invoice.finalized, of each customer.
  expect(receiver.got).toHaveLength(8);
  for (const { body, headers } of receiver.got) new Webhook(first.ready.webhookSecret).verify(body, headers);
  expect(first.lines.map((line) => JSON.parse(line))).toMatchObject(
    Array(8).fill({ type: "delivery", status: 204, error: "" }),
  );

  expect(await run(["emulator", "start", "--data", join(folder, "data")])).toMatchObject({ code: 5, stdout: "" });
  expect(await first.stop("SIGTERM")).toBe(0);
  expect(await run(["invoices", "list"])).toMatchObject({ code: 6 });

  const { type: _, url: __, ...kept } = first.ready;
  const second = await startEmulator(...flags);
  expect(second.ready).toMatchObject(kept);
  expect(await json("invoices", "list", "--all")).toEqual({ invoices });
  expect(await second.stop("SIGKILL")).toBe(null);

  const third = await startEmulator("--data", join(folder, "data"), "--clock", "2015-05-21T00:00:00Z");
  expect(third.ready).toMatchObject(kept);
  expect(await json("invoices", "list", "--all")).toEqual({ invoices });
  expect(await json("endpoints", "list")).toEqual({ endpoints: [] }); // no --forward-to any more
  expect(await third.stop("SIGINT")).toBe(130);
  expect((await readdir(join(folder, "data"))).toSorted()).toEqual(["postgres", "usageflow.json"]);

  const other = await run(["emulator", "start", ...flags, "--clock", "2016-01-01"]);
  expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining("began with its clock at 2015-05-21") });
  expect(await leftovers(place)).toEqual([]);
});

test("of several the one of this folder is used, else the one started last; what a killed one left goes", async () => {
  const place = await createPlace();
  const { run, startEmulator } = place;
  const first = await startEmulator();
  const port = new URL(first.ready.url).port;
  const again = await run(["emulator", "start", "--port", "0"]);
  expect([again.code, again.stderr]).toEqual([
    5,
    expect.stringMatching(/^Error: an emulator of this folder runs already: http:\S+, process \d+\nStop it with: /),
  ]);
  const taken = await run(["emulator", "start", "--name", "other", "--port", port]);
  expect([taken.code, taken.stderr]).toEqual([
    5,
    expect.stringMatching(/^Error: port \d+ of 127.0.0.1 is taken\nTake /),
  ]);

  const second = await startEmulator("--name", "other");
  const { code, stderr } = await run(["keys", "list"]);
  expect([code, stderr]).toEqual([
    0,
    `2 emulators are running. Used is ${second.ready.url}, of ${place.folder}; --url takes another.\n`,
  ]);
  expect(await run(["keys", "list", "--url", `${first.ready.url}/`])).toMatchObject({ code: 0, stderr: "" });
  expect(await run(["emulator", "stop", "--name", "other"])).toMatchObject({ code: 0 });
  expect(await second.stop("SIGTERM")).toBe(0); // it has ended
  expect(await run(["keys", "list"])).toMatchObject({ code: 0, stderr: "" });

  expect(await first.stop("SIGKILL")).toBe(null);
  expect(await run(["keys", "list"])).toMatchObject({ code: 6 });
  expect(await leftovers(place)).not.toEqual([]);
  const third = await startEmulator();
  expect(await readdir(join(place.folder, "state/emulators"))).toHaveLength(1);
  expect(await third.stop("SIGINT")).toBe(130);
  expect(await leftovers(place)).toEqual([]);
});

test("a Ctrl-C while it starts is no error, and leaves nothing behind", async () => {
  const place = await createPlace();
  const starting = place.start(["emulator", "start", "--port", "0"]);
  await expect.poll(() => leftovers(place), { timeout: 60_000 }).not.toEqual([]);
  starting.kill("SIGINT");
  expect(await ended(starting)).toBe(130);
  expect(await leftovers(place)).toEqual([]);
});

test("runs a command with its settings, and exits with its code", async () => {
  const place = await createPlace();
  const { run } = place;
  const names = "$USAGEFLOW_URL $USAGEFLOW_API_KEY $USAGEFLOW_WEBHOOK_SECRET";
  expect(await run(["emulator", "exec", "--port", "0", "--", "sh", "-c", `echo ${names}; exit 7`])).toEqual({
    code: 7,
    stdout: expect.stringMatching(/^http:\S+ uf_test_\S+ whsec_\S+\n$/),
    stderr: "",
  });
  expect(await run(["emulator", "exec", "--port", "0", "--", "no-such-command"])).toMatchObject({ code: 127 });
  expect(await leftovers(place)).toEqual([]);
});

test("a catalog with an error is told before anything is started", async () => {
  const place = await createPlace();
  const { code, stderr } = await place.run(["emulator", "start", "--catalog", "-"], { input: "plan: []" });
  expect([code, stderr]).toEqual([
    1,
    "Error: -:1:1: plan: there is no such field; allowed here: metrics, plans, defaultPlan\n",
  ]);
  const { code: late, stderr: told } = await place.run(["emulator", "start", "--catalog", "-"], {
    input: "metrics: [{ key: A, aggregation: UNIQUE }]",
  });
  expect([late, told]).toEqual([1, expect.stringMatching(/^Error: -:1:\d+: metrics\[0\]: uniqueProperty is needed/)]);
  expect(await leftovers(place)).toEqual([]);
});

test("the demo shows a month of usage as invoices and verified webhooks, and leaves nothing behind", async () => {
  const place = await createPlace();
  const { code, stdout, stderr } = await place.run(["demo", "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  const { accepted, duplicate, invoices, received, verified, steps } = JSON.parse(stdout);
  expect({ accepted, duplicate, received, verified }).toEqual({
    accepted: 4_000,
    duplicate: 182,
    received: 144, // 36 customers are new, subscribed, and invoiced: created and finalized
    verified: 144,
  });
  expect(invoices).toHaveLength(36);
  const total = invoices.reduce((sum: number, { totalMinor }: { totalMinor: string }) => sum + Number(totalMinor), 0);
  expect(total).toBe(162_506);
  expect(steps.map(({ name }: { name: string }) => name)).toEqual(["emulator", "usage", "clock", "webhooks"]);
  expect(await leftovers(place)).toEqual([]);
});
