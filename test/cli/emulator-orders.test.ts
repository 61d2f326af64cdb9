import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createClients } from "../support/clients.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { createPlace } from "./run-cli.ts";

const CLI = new URL("../../cli/bin/run.js", import.meta.url).pathname;

test("an application has its variables in one line, and a running emulator is shown and stopped", async () => {
  const place = await createPlace();
  const { run, startEmulator } = place;
  const nobody = await Promise.all(
    ["status", "stop", "env", "reset", "snapshot save x"].map((order) =>
      run(["emulator", ...order.split(" "), "--json"]),
    ),
  );
  expect(nobody.map(({ code, stdout }) => [code, stdout])).toEqual(Array(5).fill([6, ""]));
  const { ready, stop } = await startEmulator("--clock", "2015-05-21", "--name", "billing");
  const values = {
    USAGEFLOW_URL: ready.url,
    USAGEFLOW_API_KEY: ready.apiKey,
    USAGEFLOW_WEBHOOK_SECRET: ready.webhookSecret,
  };
  const pairs = Object.entries(values);
  const [dotenv, shell, json, status, wrong] = await Promise.all([
    run(["emulator", "env"]),
    run(["emulator", "env", "--format", "shell", "--name", "billing"]),
    run(["emulator", "env", "--json"]),
    run(["emulator", "status", "--json"]),
    run(["emulator", "env", "--name", "other"]),
  ]);
  expect(dotenv.stdout).toBe(pairs.map(([name, value]) => `${name}=${value}\n`).join(""));
  expect(shell.stdout).toBe(pairs.map(([name, value]) => `export ${name}='${value}'\n`).join(""));
  expect(JSON.parse(json.stdout)).toEqual(values);
  expect(JSON.parse(status.stdout)).toMatchObject({ name: "billing", url: ready.url, clock: { frozen: true } });
  expect(status.stdout + status.stderr).not.toMatch(/uf_test_|whsec_/);
  expect([wrong.code, wrong.stderr]).toEqual([6, expect.stringContaining('no emulator of the name "other"')]);
  expect((await run(["emulator", "stop"])).stdout).toBe(`Stopped the emulator at ${ready.url}.\n`);
  expect(await stop("SIGTERM")).toBe(0);
});

test("exec waits for events, and says with 7 what did arrive", async () => {
  const receiver = await startReceiver();
  const place = await createPlace();
  const script = join(place.folder, "app.sh");
  // The command's own emulator is found by its commands, though no other finds it.
  await writeFile(script, `node ${CLI} customers put ann && node ${CLI} emulator status --json`);
  const exec = (...args: string[]) =>
    place.run(["emulator", "exec", "--port", "0", "--forward-to", receiver.url, ...args]);
  const [good, bad, wrong] = await Promise.all([
    exec("--wait-for", "customer.created=1", "--", "sh", script),
    exec("--wait-for", "customer.created=2", "--wait-for", "invoice.paid", "--timeout", "1s", "--", "sh", script),
    exec("--wait-for", "nope=1", "--", "sh", script),
  ]);
  expect([good.code, good.stderr]).toEqual([0, "customer.created: 1 arrived\n"]);
  expect(good.stdout).toMatch(/"name":"exec \d+"/);
  expect([bad.code, bad.stderr]).toEqual([
    7,
    "Error: customer.created: 1 of 2 arrived; invoice.paid: 0 of 1 arrived\nWhat arrived: customer.created 1.\n",
  ]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('there is no event "nope"')]);
});

test("each webhook is told with its answer and, when it was refused, with what may be wrong", async () => {
  const receiver = await startReceiver();
  const place = await createPlace();
  const { ready, lines, stop } = await place.startEmulator("--forward-to", receiver.url, "--retry-schedule", "1h");
  const { webhook } = createClients(ready.url, ready.apiKey);
  const [forward] = (await webhook.listEndpoints({})).endpoints;
  const { endpoint: closed } = await webhook.createEndpoint({ url: "http://127.0.0.1:1/hooks" });
  /** What is told of the next webhook. */
  const told = async (endpointId = "") => {
    const before = lines.length;
    await webhook.sendTestEvent({ endpointId });
    await expect.poll(() => lines.length, { timeout: 60_000 }).toBe(before + 1);
    return JSON.parse(lines[before] as string);
  };
  expect(await told(forward?.id)).toMatchObject({
    type: "delivery",
    eventType: "webhook.test",
    status: 204,
    error: "",
  });
  receiver.behave(answer(500, "TypeError: x is not a function"));
  expect(await told(forward?.id)).toMatchObject({
    status: 500,
    attempt: 1,
    hint: "It said: TypeError: x is not a function",
    responseBody: "TypeError: x is not a function",
    nextAttemptAt: expect.stringMatching(/^\d{4}-/),
  });
  receiver.behave(answer(401));
  expect(await told(forward?.id)).toMatchObject({ status: 401, hint: expect.stringContaining("raw body") });
  receiver.behave(answer(302, "", { location: "/" }));
  expect(await told(forward?.id)).toMatchObject({ status: 302, hint: expect.stringContaining("not followed") });
  const hint = "Is your server running on http://127.0.0.1:1/hooks?";
  expect(await told(closed?.id)).toMatchObject({ status: 0, hint });
  expect(await stop("SIGINT")).toBe(130);
});

test("webhooks are forwarded to this machine alone", async () => {
  const place = await createPlace();
  const { code, stderr } = await place.run(["emulator", "start", "--forward-to", "http://192.0.2.1/hooks"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("is not on this machine")]);
});
