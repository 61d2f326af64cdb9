import diagnostics from "node:diagnostics_channel";
import { Config } from "@oclif/core";
import { expect, onTestFinished, test } from "vitest";
import { listFlags } from "../../cli/pages.ts";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { commandList } from "./command-list.ts";
import { AS_PROCESS, EXAMPLES, EXITS, SHOWS_SECRET } from "./every-command.ts";
import type { Run } from "./run-cli.ts";
import { createHere } from "./run-here.ts";
import { createWorld } from "./world.ts";

const root = new URL("../../", import.meta.url).pathname;
const { commands } = await Config.load({ root });
const names = commands.map(({ id }) => id.replaceAll(":", " ")).sort();
const tried = names.filter((name) => !(name in AS_PROCESS));
/** Commands that call a server. */
const calling = commands.filter(({ flags }) => "api-key" in flags).map(({ id }) => id.replaceAll(":", " "));

const SERVICES = [TenantService, PricingService, UsageService, InvoiceService, WebhookService];
/** RPCs that no example reaches, and why. */
const UNREACHED: Record<string, string> = {
  "/usageflow.v1.WebhookService/Listen": "a stream: listen.test.ts",
  "/usageflow.v1.WebhookService/AcknowledgeDelivery": "goes with it: listen.test.ts",
  "/usageflow.v1.WebhookService/TailDeliveries": "a stream: listen.test.ts",
};

const SECRET = /uf_(live|test|pat|inv)_[0-9A-Za-z]{71}|wh(sec|sk)_[A-Za-z0-9+/]{24,}/;
const ERROR = {
  code: expect.stringMatching(/^[a-z_]+$/),
  reason: expect.any(String),
  message: expect.stringMatching(/./),
  field: expect.any(String),
  requestId: expect.any(String),
  hint: expect.any(String),
};

const NOWHERE = ["--url", "http://127.0.0.1:1"];

/** What is wrong with the manners of a run under `--json`: nothing, if all is well. */
function manners({ code, stdout, stderr }: Run): string[] {
  const wrong: string[] = [];
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(stdout + stderr)) wrong.push("control characters");
  if (code === 0 && stderr !== "") wrong.push(`stderr: ${stderr}`);
  if (stdout !== "" && !isJson(stdout)) wrong.push(`stdout: ${stdout}`);
  if (stdout === "" && !isJson(stderr)) wrong.push(`no JSON: ${stderr}`);
  return wrong;
}

/** Whether it is one JSON document on a line, or several (NDJSON). */
function isJson(text: string): boolean {
  const parsed = (line: string) => {
    try {
      return typeof JSON.parse(line) === "object";
    } catch {
      return false;
    }
  };
  return text.endsWith("\n") && text.trimEnd().split("\n").every(parsed);
}

test("every command has an example here, or is tried as a process elsewhere", () => {
  expect([...Object.keys(EXAMPLES), ...Object.keys(AS_PROCESS)].sort()).toEqual(names);
});

test("every command does its work, with manners; together they reach every RPC", { timeout: 300_000 }, async () => {
  const here = await createHere();
  const world = await createWorld(here.folder);
  const env = { USAGEFLOW_URL: world.api.url, USAGEFLOW_API_KEY: world.tenant.testKey };
  const run = (args: readonly string[]) => here.run(args, { env });
  const called = new Set<string>();
  const note = (message: unknown) => {
    const { headers } = message as { headers: Record<string, string> };
    called.add(String(headers[":path"]));
  };
  diagnostics.subscribe("http2.client.stream.created", note);
  onTestFinished(() => {
    diagnostics.unsubscribe("http2.client.stream.created", note);
  });
  const wrong: unknown[] = [];
  for (const name of tried) {
    const example = EXAMPLES[name] as (typeof EXAMPLES)[string];
    const ran = await run([...name.split(" "), ...(await example(world)), "--json"]);
    const problems = manners(ran);
    if (ran.code !== (EXITS[name] ?? 0)) problems.push(`exit code ${ran.code}: ${ran.stderr}`);
    const told = await run([...name.split(" "), ...(await example(world))]);
    if (told.code !== (EXITS[name] ?? 0)) problems.push(`without --json, exit code ${told.code}: ${told.stderr}`);
    if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(told.stdout + told.stderr)) problems.push("control characters");
    if (calling.includes(name)) {
      const away = await run([...name.split(" "), ...(await example(world)), "--json", ...NOWHERE]);
      if (away.code !== 6 || away.stdout !== "") problems.push(`with no server: ${JSON.stringify(away)}`);
      expect([name, JSON.parse(away.stderr)]).toEqual([name, { error: { ...ERROR, code: "unavailable" } }]);
    }
    const secret = SECRET.test(ran.stdout + ran.stderr + told.stdout + told.stderr);
    if (secret !== SHOWS_SECRET.includes(name)) problems.push(secret ? "shows a secret" : "shows no secret");
    if (problems.length > 0) wrong.push([name, ...problems]);
  }
  expect(wrong).toEqual([]);
  const all = SERVICES.flatMap(({ typeName, methods }) => methods.map((method) => `/${typeName}/${method.name}`));
  expect(all.filter((path) => !called.has(path))).toEqual(Object.keys(UNREACHED));
});

test("commands, arguments and flags are those that are written down", async () => {
  // What is new is written by: npx vitest run test/cli/every-command -u
  await expect(commandList(commands)).toMatchFileSnapshot("commands.txt");
});

test("every command that lists has the flags of lists", () => {
  const lists = commands.filter(
    ({ id, flags }) => id.endsWith(":list") || ("limit" in flags && id !== "plans:simulate"),
  );
  expect(lists.length).toBeGreaterThan(15);
  const bare = lists.filter(({ flags }) => !Object.keys(listFlags).every((name) => name in flags));
  expect(bare.map(({ id }) => id)).toEqual([]);
});

test("every command explains itself, with an example", async () => {
  const { run } = await createHere();
  expect(commands.length).toBeGreaterThan(20);
  for (const { id, summary, description } of commands) {
    expect([id, summary, description]).toEqual([id, expect.stringMatching(/\.$/), expect.stringMatching(/\.$/)]);
    const name = id.replaceAll(":", " ");
    const { code, stdout, stderr } = await run([...name.split(" "), "--help"]);
    expect([name, code, stderr]).toEqual([name, 0, ""]);
    expect(stdout).toContain(`USAGE\n  $ usageflow ${name}`);
    expect(stdout).toMatch(new RegExp(`EXAMPLES\\n(.*\\n)*.*usageflow ${name}`));
    expect(stdout).toMatch(/^[^\u0000-\u0009\u000b-\u001f]*$/);
  }
});

test("every command refuses a flag that there is not, and says so as JSON", async () => {
  const { run } = await createHere();
  for (const name of names) {
    const { code, stdout, stderr } = await run([...name.split(" "), "--no-such-flag", "--json"]);
    expect([name, code, stdout]).toEqual([name, 2, ""]);
    expect(JSON.parse(stderr)).toEqual({ error: { ...ERROR, code: "usage" } });
  }
});
