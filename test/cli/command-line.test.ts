import { expect, test } from "vitest";
import { setup } from "../support/harness.ts";
import { createPlace } from "./run-cli.ts";
import { createHere } from "./run-here.ts";

const NOTHING = { code: "", reason: "", message: "", field: "", requestId: "", hint: "" };

test("help and version are found under all their names", async () => {
  const { run } = await createPlace();
  const help = await run(["invoices", "list", "--help"]);
  expect(await run(["help", "invoices", "list"])).toEqual(help);
  expect(await run(["invoices", "list", "-h"])).toEqual(help);
  const version = { code: 0, stdout: expect.stringMatching(/^usageflow \d+\.\d+\.\d+\n$/), stderr: "" };
  expect(await run(["--version"])).toEqual(version);
  expect(await run(["-v"])).toEqual(version);
});

test.each([
  [["invoices", "list", "--bad"], 2, "usage", "Nonexistent flag: --bad"],
  [["invoices", "show"], 2, "usage", "INVOICE is missing"],
  [["invoices", "lst"], 2, "usage", 'there is no command "invoices lst"'],
  [["endpoints", "create"], 2, "usage", "URL is missing"],
  [["nothing"], 2, "usage", 'there is no command "nothing"'],
  [["invoices", "list", "extra"], 2, "usage", "Unexpected argument: extra"],
  [["--versoin"], 2, "usage", "there is no flag --versoin"],
  [
    ["invoices", "list", "--state", "old"],
    2,
    "usage",
    "Expected --state=old to be one of: draft, finalized, paid, void, uncollectible",
  ],
  [["invoices", "verify"], 2, "usage", "name the invoices, or say --all"],
  [["invoices", "verify", "INV-000001", "--all"], 2, "usage", "name the invoices, or say --all"],
  [["invoices", "preview"], 2, "usage", "Exactly one of the following must be provided: --customer, --subscription"],
  [["invoices", "void", "INV-000001"], 2, "usage", "--reason is missing"],
  [["clock", "advance"], 2, "usage", "Exactly one of the following must be provided: --by, --to"],
  [
    ["clock", "advance", "--to", "1"],
    2,
    "usage",
    '--to: "1" is no time: write it like 2015-06-02T00:00:00Z, or 2015-06-02 for its midnight in UTC',
  ],
  [["clock", "advance", "--by", "1"], 2, "usage", '--by: "1" is no span of time: write it like 10d, 1h30m or 90s'],
  [["invoices", "list", "--url", "ftp://x"], 2, "usage", '"ftp://x" is no http or https URL'],
  [["invoices", "list", "--url", "http://127.0.0.1:1"], 3, "unauthenticated", "no API key for http://127.0.0.1:1"],
  [["invoices", "list"], 6, "unavailable", "no emulator is running, and no other server was named"],
  [["usage", "import", "none.ndjson"], 4, "not_found", "none.ndjson: no such file"],
  [["catalog", "push", "none.yaml"], 4, "not_found", "none.yaml: no such file"],
  [["emulator", "exec"], 2, "usage", "no command to run"],
  [["emulator", "start", "--forward-to", "foo"], 2, "usage", '--forward-to: "foo" is no http or https URL'],
  [["migrate"], 2, "usage", "no URL of the database, as the owner of its schema"],
  [
    ["migrate", "--owner-url", "pg:secret"],
    2,
    "usage",
    "the URL of the database, as the owner of its schema, is no postgres URL",
  ],
  [
    ["migrate", "--owner-url", "postgres://127.0.0.1:1/x"],
    6,
    "unavailable",
    "the database cannot be reached: connect ECONNREFUSED 127.0.0.1:1",
  ],
  [
    ["status", "--worker-url", "pg:secret"],
    2,
    "usage",
    "the URL of the database, with the login of the workers, is no postgres URL",
  ],
])("%j fails with one JSON object under --json", async (args, code, name, message) => {
  const { run } = await createHere();
  const failed = await run([...args, "--json"]);
  expect(failed).toMatchObject({ code, stdout: "" });
  expect(JSON.parse(failed.stderr)).toEqual({ error: { ...NOTHING, code: name, message, hint: expect.any(String) } });
});

test("people are told what happened and what to do next", async () => {
  const { run } = await createHere();
  expect(await run(["invoices", "list", "--bad"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "Error: Nonexistent flag: --bad\nSee: usageflow invoices list --help\n",
  });
  const { code, stderr } = await run(["serve"]);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^Error: configuration:\n {2}DATABASE_URL is not set\n/)]);
});

test.each([
  ["invoices lst", "usageflow invoices list"],
  ["invoice show INV-000001", "usageflow invoices show"],
  ["emulater", "usageflow emulator"],
  ["--versoin", "usageflow --version"],
])("whoever writes %s hears of %s", async (line, meant) => {
  const { run } = await createHere();
  const { code, stderr } = await run(line.split(" "));
  expect([code, stderr]).toEqual([2, expect.stringContaining(`\nDid you mean: ${meant}? See what there is: `)]);
});

test("nobody is led to what takes something away", async () => {
  const { run } = await createHere();
  expect((await run(["emulator", "list"])).stderr).toBe(
    'Error: there is no command "emulator list"\nSee what there is: usageflow emulator --help\n',
  );
});

test("the first page of help lists the exit codes", async () => {
  const { run } = await createHere();
  const { stdout } = await run(["--help"]);
  expect(stdout.replace(/\s+/g, " ")).toContain(
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found, 5 conflict, 6 unreachable, 7 timed out, 130 interrupted, 143 terminated.",
  );
});

test("a server that is not there, or is none of ours, is unreachable", async () => {
  const { run } = await createHere();
  const env = { USAGEFLOW_URL: "http://127.0.0.1:1", USAGEFLOW_API_KEY: "key" };
  const { code, stderr } = await run(["invoices", "list", "--json"], { env });
  expect([code, JSON.parse(stderr).error]).toMatchObject([
    6,
    { code: "unavailable", message: "the server cannot be reached: connect ECONNREFUSED 127.0.0.1:1" },
  ]);
});

test("a refusal by the server keeps its code, reason, field and request id", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  const as = (key: string) => ({ env: { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: key } });
  const failure = async (args: string[], key = tenant.testKey) => {
    const { code, stdout, stderr } = await run([...args, "--json"], as(key));
    return { code, stdout, error: JSON.parse(stderr).error };
  };
  expect(await failure(["invoices", "show", "INV-000009"])).toEqual({
    code: 4,
    stdout: "",
    error: {
      code: "not_found",
      reason: "NOT_FOUND",
      message: 'there is no invoice "INV-000009"',
      field: "",
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      hint: "",
    },
  });
  expect(await failure(["deliveries", "list", "--endpoint", "mine"])).toMatchObject({
    code: 2,
    error: {
      code: "invalid_argument",
      reason: "INVALID_FIELD",
      field: "endpoint_id",
      message: expect.stringMatching(/^--endpoint: must be an id such as whe_\w{22}, and is "mine"$/),
    },
  });
  expect(await failure(["clock", "advance", "--by", "1d"], tenant.liveKey)).toMatchObject({
    code: 5,
    error: { code: "failed_precondition", reason: "CLOCK_NOT_MOVABLE" },
  });
  expect(await failure(["plans", "list"], `${tenant.testKey}x`)).toMatchObject({
    code: 3,
    error: {
      code: "unauthenticated",
      reason: "KEY_MALFORMED",
      hint: "Give a key with --api-key or USAGEFLOW_API_KEY, or log in: usageflow login",
    },
  });
});

test("keys are made, seen and revoked", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const json = async (...args: string[]) => JSON.parse((await run([...args, "--json"], { env })).stdout);
  const made = await json("keys", "create", "--role", "ingest", "--name", "backend");
  expect(made).toMatchObject({
    apiKey: { name: "backend", role: "ROLE_INGEST" },
    secret: expect.stringMatching(/^uf_test_/),
  });
  expect(await json("keys", "revoke", made.apiKey.id)).toMatchObject({
    id: made.apiKey.id,
    revokedAt: expect.stringMatching(/^\d{4}-/),
  });
  expect((await json("keys", "list")).apiKeys).toHaveLength(2);
  const { stdout } = await run(["keys", "list", "--limit", "1"], { env });
  expect(stdout.split("\n")[1]).toMatch(/^key_\w{22} {2}backend {2}ingest {2}uf_test_/);
});

test("a customer is put, and seen among the customers", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  // A URL with a slash at its end is the same server.
  const env = { USAGEFLOW_URL: `${api.url}/`, USAGEFLOW_API_KEY: tenant.testKey };
  const json = async (...args: string[]) => JSON.parse((await run([...args, "--json"], { env })).stdout);
  const customer = await json("customers", "put", "ada", "--name", "Ada");
  expect(customer).toMatchObject({ id: "ada", name: "Ada" });
  expect(await json("customers", "list")).toEqual({ customers: [customer] });
  expect(await json("customers", "put", "ada")).toEqual({ ...customer, name: "" });
});

test("an endpoint is made, seen, changed and deleted", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const json = async (...args: string[]) => JSON.parse((await run([...args, "--json"], { env })).stdout);
  const { endpoint } = await json("endpoints", "create", "https://example.com/hook", "--event", "invoice.*");
  expect(endpoint).toMatchObject({ url: "https://example.com/hook", eventTypes: ["invoice.*"] });
  expect(await json("endpoints", "show", endpoint.id)).toEqual(endpoint);
  expect(await json("endpoints", "list")).toEqual({ endpoints: [endpoint] });
  const paused = await json("endpoints", "pause", endpoint.id);
  expect(paused).toEqual({ ...endpoint, pausedAt: expect.any(String) });
  const moved = await json("endpoints", "update", endpoint.id, "--to", "https://example.com/new");
  expect(moved).toEqual({ ...paused, url: "https://example.com/new" });
  const named = await json("endpoints", "update", endpoint.id, "--description", "mine", "--event", "*");
  expect(named).toEqual({ ...moved, description: "mine", eventTypes: ["*"] });
  expect((await run(["endpoints", "show", endpoint.id], { env })).stdout).toMatch(/^Paused +20/m);
  expect(await run(["endpoints", "update", endpoint.id], { env })).toMatchObject({ code: 2 });
  const noted = ["--header", "Authorization: Bearer s3cret", "--metadata", "team=billing"];
  expect(await json("endpoints", "update", endpoint.id, ...noted)).toEqual({
    ...{ ...named, headerNames: ["authorization"], metadata: { team: "billing" } },
  });
  const bad = await run(["endpoints", "update", endpoint.id, "--header", "s3cret"], { env });
  expect(bad).toMatchObject({ code: 2, stderr: expect.not.stringContaining("s3cret") });
  expect(await json("endpoints", "update", endpoint.id, "--no-headers", "--no-metadata")).toEqual(named);
  const rotated = await json("endpoints", "rotate-secret", endpoint.id, "--signature", "v1a", "--overlap", "1h");
  expect(rotated).toMatchObject({ secret: "", endpoint: { publicKey: expect.stringMatching(/^whpk_/) } });
  const shown = (await run(["endpoints", "show", endpoint.id], { env })).stdout;
  expect(shown).toContain(rotated.endpoint.publicKey);
  expect(await json("endpoints", "rotate-secret", endpoint.id, "--signature", "v1", "--overlap", "0s")).toEqual({
    endpoint: named,
    secret: expect.stringMatching(/^whsec_/),
  });
  expect(await json("endpoints", "resume", endpoint.id)).not.toHaveProperty("pausedAt");
  expect(await json("endpoints", "delete", endpoint.id)).toEqual({});
  expect(await run(["endpoints", "delete", endpoint.id], { env })).toMatchObject({ code: 4 });
});

test("the types of events are listed, and one is shown by a sample or its schema", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const list = await run(["events", "types"], { env });
  expect(list.stdout).toMatch(/^invoice\.paid +An invoice was paid\.$/m);
  const { stdout } = await run(["events", "types", "invoice.paid"], { env });
  expect(JSON.parse(stdout)).toMatchObject({ type: "invoice.paid", data: { invoice: { number: "INV-000001" } } });
  const schema = JSON.parse((await run(["events", "types", "invoice.paid", "--schema"], { env })).stdout);
  expect(schema).toMatchObject({ title: "invoice.paid" });
  const one = JSON.parse((await run(["events", "types", "invoice.paid", "--json"], { env })).stdout);
  expect(one).toMatchObject({ type: "invoice.paid", sample: JSON.parse(stdout), schema });
  expect(await run(["events", "types", "--schema"], { env })).toMatchObject({ code: 2 });
  expect(await run(["events", "types", "invoice.payed"], { env })).toMatchObject({ code: 4 });
});

test("a server says which port is taken, and a database without a schema what to run", async () => {
  const { run } = await createHere();
  const { api, app, database } = await setup();
  const env = {
    DATABASE_URL: database.databaseUrl,
    USAGEFLOW_WORKER_DATABASE_URL: database.workerDatabaseUrl,
    USAGEFLOW_MASTER_KEY: app.config.masterKey.toString("base64"),
    USAGEFLOW_KEY_PEPPER: app.config.keyPepper.toString("base64"),
    USAGEFLOW_PORT: String(api.port),
  };
  expect(await run(["serve"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: `Error: port ${api.port} of 127.0.0.1 is taken\nTake another with USAGEFLOW_PORT.\n`,
  });
  const empty = new URL(database.ownerUrl);
  empty.pathname = "/postgres";
  expect(await run(["init", "--organization", "Acme", "--owner-url", empty.href], { env })).toEqual({
    code: 5,
    stdout: "",
    stderr: `Error: the database has no schema yet, or an older one: relation "organization" does not exist\nRun first, with the owner's URL: usageflow migrate\n`,
  });
  const asOwnerOf = (url: URL) => run(["secrets", "show", "--owner-url", url.href], { env });
  expect(await asOwnerOf(empty)).toMatchObject({ code: 5, stderr: expect.stringMatching(/: usageflow migrate$/m) });
  empty.pathname = "/nowhere";
  expect(await asOwnerOf(empty)).toMatchObject({ code: 4, stderr: expect.stringMatching(/"nowhere" does not exist/) });
});

test("a catalog is pushed, refused with its line, and pulled as it was pushed", async () => {
  const { run } = await createHere();
  const { api, tenant } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const file = "metrics: [{ key: CALLS, aggregation: SUM }]\nplans:\n  - key: pro\n    currency: XXX\n";
  const refused = await run(["catalog", "push", "-"], { env, input: file });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Error: -:\d:\d+: plans\[0\]/) });

  const good = "metrics:\n  - { key: CALLS, name: Calls, aggregation: SUM }\n";
  expect(await run(["catalog", "push", "-"], { env, input: good })).toMatchObject({
    code: 0,
    stdout: "+ metric CALLS\n  + name: Calls\n  + aggregation: SUM\n",
    stderr: "Published: 1 metric.\n",
  });
  expect(await run(["catalog", "pull"], { env })).toEqual({ code: 0, stdout: good, stderr: "" });
  expect(await run(["catalog", "push", "-"], { env, input: good })).toMatchObject({ code: 0, stdout: "" });
});
