import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { serverEnv } from "../support/fleet.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

test("a master key is changed from the command line, as the guide says", async () => {
  const harness = await setup();
  const { clients, database, app } = harness;
  const call = { headers: { "idempotency-key": "made-before" } };
  await clients.tenant.createApiKey({ role: Role.VIEWER }, call);
  await clients.tenant.createApiKey({ role: Role.VIEWER });
  const before = app.config.masterKey.toString("base64");
  const after = randomBytes(32).toString("base64");
  const { run } = await createHere();
  const step = async (command: string, settings: Record<string, string>, ...flags: string[]) => {
    const { DATABASE_URL: _, USAGEFLOW_WORKER_DATABASE_URL: __, USAGEFLOW_KEY_PEPPER } = serverEnv(harness);
    const env = { USAGEFLOW_OWNER_DATABASE_URL: database.ownerUrl, USAGEFLOW_KEY_PEPPER, ...settings };
    return run(["secrets", command, ...flags], { env: env as Record<string, string> });
  };
  const answers = (command: string, settings: Record<string, string>) =>
    step(command, settings, "--json").then(({ code, stdout }) => ({ code, ...JSON.parse(stdout) }));

  // The key before is not given: nothing opens, and nothing is lost.
  const alone = { USAGEFLOW_MASTER_KEY: after };
  expect(await answers("rotate", alone)).toEqual({ code: 1, sealed: 0, left: 1, unreadable: 1 });
  expect((await answers("show", alone)).uses).toMatchObject([
    { what: "stored answers", key: "missing", count: 1 },
    { what: "audit entries", key: "missing", count: 3 },
    { what: "API keys", key: "today", count: 4 },
    { what: "access tokens", key: "today", count: 1 },
  ]);

  const both = { ...alone, USAGEFLOW_OTHER_MASTER_KEYS: before };
  expect((await answers("show", both)).uses).toMatchObject([
    { key: "other", count: 1 },
    { key: "other", count: 3 },
    { key: "today" },
    { key: "today" },
  ]);
  expect(await answers("rotate", both)).toEqual({ code: 0, sealed: 1, left: 0, unreadable: 0 });
  expect(await answers("rotate", alone)).toEqual({ code: 0, sealed: 0, left: 0, unreadable: 0 });
  const shown = await step("show", alone);
  expect(shown.stdout).toMatch(
    /^WHAT +COUNT +KEY ID +KEY\nstored answers +1 +[0-9a-f]{8} +of today\naudit entries +3 +[0-9a-f]{8} +not given here\nAPI keys +4 /,
  );
  for (const key of [before, after]) expect(shown.stdout).not.toContain(key.slice(0, 8));

  const weak = await step("rotate", { USAGEFLOW_MASTER_KEY: "changeme" }, "--json");
  expect(weak.code).not.toBe(0);
  expect(weak.stderr).toContain("openssl rand -base64 32");
  expect(weak.stderr).not.toContain("changeme");
});

test("keys are made with limits, listed with them and rotated", async () => {
  const { api, tenant } = await setup();
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const limits = ["--expires-in", "90d", "--allow-cidr", "127.0.0.0/8", "--allow-cidr", "2001:db8::/32"];
  const made = await run(["keys", "create", "--role", "ingest", "--name", "backend", ...limits]);
  expect(made.stdout).toMatch(/Expires +\d{4}-.*\nFrom +127\.0\.0\.0\/8 2001:db8::\/32\nKey +uf_test_/);
  const id = /key_\w+/.exec(made.stdout)?.[0] ?? "";
  const rotated = await run(["keys", "rotate", id, "--overlap", "1h"]);
  expect([rotated.code, rotated.stdout]).toEqual([0, expect.stringMatching(/Name +backend\n(.*\n)*Key +uf_test_/)]);
  expect(rotated.stderr).toMatch(/The one before works until \d{4}-\d\d-\d\d \d\d:\d\d/);
  const { stdout } = await run(["keys", "list", "--columns", "name,state,last-used,from"]);
  expect(stdout).toMatch(
    /backend +good +127\.0\.0\.0\/8 2001:db8::\/32\nbackend +rotated +127.*\nfirst key +good +\d{4}-/,
  );
  const refused = await run(["keys", "create", "--role", "ingest", "--allow-cidr", "10.0.0.0/33", "--json"]);
  expect(JSON.parse(refused.stderr).error).toMatchObject({ code: "invalid_argument", field: "allowed_cidrs[0]" });
});
