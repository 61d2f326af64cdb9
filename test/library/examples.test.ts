import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { freePort } from "../../cli/emulator/free-port.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { makeScratch } from "../support/scratch.ts";
import { secretsIn } from "../support/secret-scan.ts";

// docs/examples, as a reader runs them.

const root = new URL("../../", import.meta.url).pathname;
const examples = join(root, "docs/examples");
const run = promisify(execFile);

/** A project of a reader's with the examples in it, in which the package is installed. */
async function project(): Promise<string> {
  const folder = await makeScratch("usageflow-examples-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(examples, folder, { recursive: true });
  await mkdir(join(folder, "node_modules/.bin"), { recursive: true });
  await symlink(root, join(folder, "node_modules/usageflow"), "dir");
  await symlink(join(root, "node_modules/express"), join(folder, "node_modules/express"), "dir");
  await symlink(join(root, "cli/bin/run.js"), join(folder, "node_modules/.bin/usageflow"));
  return folder;
}

/** Starts a program, and reads what it prints. Ended when the test is finished. */
function start(folder: string, file: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env } });
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, lines: linesOf(child), ended: once(child, "close") };
}

function linesOf({ stdout, stderr }: ChildProcess): () => string[] {
  let text = "";
  for (const stream of [stdout, stderr])
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  return () =>
    text.split("\n").filter((line) => line !== "" && !/ExperimentalWarning|node --trace-warnings/.test(line));
}

const soon = { timeout: 60_000 };

test("the Express API meters its requests, and sends the last of it when it is stopped", async () => {
  const { api, clients, ownerDb, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey, PORT: "0" };
  const { child, lines, ended } = start(await project(), "express-api.mjs", env);
  await expect.poll(lines, soon).toEqual([expect.stringMatching(/^listening on \d+$/)]);
  const url = `http://localhost:${/\d+/.exec(lines()[0] ?? "")?.[0]}`;
  for (const customer of ["ann", "ann", "bob"]) {
    expect((await fetch(`${url}/hello`, { headers: { "x-customer-id": customer } })).status).toBe(200);
  }
  expect((await fetch(`${url}/hello`)).status).toBe(401);
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  expect(lines().slice(1)).toEqual(["3 stored, 0 rejected, 0 not delivered"]);
  const stored = await ownerDb
    .selectFrom("usage_event")
    .select(["customer_id", "amount"])
    .orderBy("customer_id")
    .execute();
  expect(stored.map(({ customer_id, amount }) => [customer_id, amount])).toEqual([
    ["ann", "1"],
    ["ann", "1"],
    ["bob", "1"],
  ]);
});

test("the webhook handler marks an account paid, once, however often it is told", async () => {
  const { advanceTo, clients, drain } = await setup({ config: { emulator: true } });
  await clients.pricing.pushCatalog({ catalog });
  await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount: "5", customerId: "ann" }] });
  await advanceTo("2015-06-02T00:00:00Z");
  const port = await freePort();
  const { endpoint, secret } = await clients.webhook.createEndpoint({ url: `http://localhost:${port}/webhooks` });
  const { lines } = start(await project(), "paid-accounts.mjs", {
    USAGEFLOW_WEBHOOK_SECRET: secret,
    PORT: String(port),
  });
  await expect.poll(lines, soon).toEqual(["listening"]);
  const { invoices } = await clients.invoice.listInvoices({});
  const { id = "" } = invoices[0] ?? {};
  await clients.invoice.markInvoicePaid({ id });
  await drain();
  const { events } = await clients.webhook.listEvents({ eventTypes: ["invoice.paid"] });
  await clients.webhook.resendEvent({ eventId: events[0]?.id ?? "", endpointId: endpoint?.id ?? "" });
  await drain();
  await expect
    .poll(lines, soon)
    .toEqual([...["listening", "ann has paid until 2015-06-01T00:00:00Z", `${events[0]?.id} again`]]);
});

test("the CI job's commands run, and say what customers pay", async () => {
  const folder = join(await project(), "ci");
  const workflow = parse(await readFile(join(folder, "workflow.yml"), "utf8"));
  const commands: string[] = workflow.jobs.billing.steps.flatMap(({ run: command = [] }) => command);
  expect(commands).toContain("npm ci");
  const rest = commands.filter((command) => command !== "npm ci"); // which needs a registry
  expect(rest).toHaveLength(1);
  for (const command of rest) {
    const { stdout, stderr } = await run("sh", ["-c", command], { cwd: folder });
    expect(secretsIn(stderr)).toEqual([]); // where the emulator says what its server logs
    expect(stdout).toMatch(/^# pass 1$|^ℹ pass 1$/m);
    expect(stderr).toContain("invoice.finalized: 1 arrived");
  }
});

test("the Python caller is right: it compiles, and where Python has grpcio its calls are answered", async () => {
  const folder = await project();
  const python = (...args: string[]) => spawnSync("python3", args, { cwd: folder, encoding: "utf8" });
  if (python("--version").error) return console.warn("there is no python3: docs/examples/track.py was not looked at");
  expect(python("-m", "py_compile", "track.py")).toMatchObject({ status: 0, stderr: "" });
  if (python("-c", "import grpc, grpc_tools").status !== 0) {
    return console.warn("python3 has no grpcio and grpcio-tools: docs/examples/track.py was compiled and not run");
  }
  const { api, clients, tenant } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  // As the program's own first lines say.
  const text = await readFile(join(folder, "track.py"), "utf8");
  const [, stubs = ""] = /^ {4}(python -m grpc_tools[\s\S]*?proto)$/m.exec(text) ?? [];
  const command = `mkdir -p stubs && ${stubs.replace(/^python/, "python3").replace("-I proto", `-I ${join(root, "proto")}`)}`;
  expect(existsSync(join(root, "proto/buf/validate/validate.proto"))).toBe(true);
  await run("sh", ["-c", command], { cwd: folder });
  const env = { ...process.env, PYTHONPATH: "stubs", USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const { stdout } = await run("python3", ["track.py"], { cwd: folder, env });
  expect(stdout).toBe("API_CALL: ACCEPTED\nAPI_KALL: REJECTED UNKNOWN_METRIC\n");
  const refused = await run("python3", ["track.py"], { cwd: folder, env: { ...env, USAGEFLOW_API_KEY: "no" } }).catch(
    (error) => error,
  );
  expect(refused.stderr).toMatch(/^UNAUTHENTICATED: .* [0-9a-f-]{36}\n$/);
});
