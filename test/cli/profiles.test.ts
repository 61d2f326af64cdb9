import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { writeLocator } from "../../cli/locator.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { setup } from "../support/harness.ts";
import type { Run } from "./run-cli.ts";
import { createHere } from "./run-here.ts";

const profilesIn = (folder: string) => join(folder, ".config", "usageflow", "profiles.json");
const errorOf = ({ stderr }: Run) => JSON.parse(stderr).error;

/** Leaves the note of an emulator that seems to run: this process does. */
async function noteEmulator(folder: string, url: string, apiKey: string): Promise<void> {
  vi.stubEnv("USAGEFLOW_STATE_DIR", join(folder, "state"));
  const rest = { webhookSecret: "", controlUrl: "", controlToken: "", forwardTo: "", data: "", startedAt: "" };
  await writeLocator({ name: folder, hidden: false, folder, url, apiKey, accessToken: "", ...rest });
  vi.unstubAllEnvs();
}

test("a login checks the key, stores it for its owner alone, and every command uses it", async () => {
  const { api, tenant } = await setup();
  const { run, folder } = await createHere();
  const refused = await run(["login", "--url", api.url], { input: `${tenant.testKey}x\n` });
  expect(refused).toMatchObject({ code: 3, stdout: "" });
  await expect(stat(profilesIn(folder))).rejects.toThrow("ENOENT");

  const login = await run(["login", "--url", `${api.url}/`], { input: `${tenant.testKey}\n` });
  const file = profilesIn(folder);
  expect(login).toMatchObject({ code: 0, stderr: `Stored in ${file}. Commands use this profile now.\n` });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(login.stdout + login.stderr).not.toContain(tenant.testKey);
  expect(await run(["customers", "list", "--json"])).toMatchObject({ code: 0, stdout: '{"customers":[]}\n' });
  const who = JSON.parse((await run(["whoami", "--json"])).stdout);
  expect(who).toEqual({
    ...{ url: api.url, profile: "default", organization: "Acme", tenant: expect.stringMatching(/^ten_/), kind: "test" },
    ...{
      key: expect.stringMatching(/^uf_test_\w{4}\.\.\.\w{4}$/),
      keyId: expect.stringMatching(/^key_/),
      role: "owner",
    },
    keyName: expect.any(String),
    member: "",
  });
});

test("a key that is good and may not be used from here, or at an emulator, is refused and not stored", async () => {
  const { api, clients, tenant } = await setup({ config: { emulator: true } });
  const { run, folder } = await createHere();
  const bound = await clients.tenant.createApiKey({ role: Role.VIEWER, allowedCidrs: ["203.0.113.0/24"] });
  const login = (key: string) => run(["login", "--url", api.url, "--api-key", key]);
  expect(await login(bound.secret)).toMatchObject({
    code: 3,
    stdout: "",
    stderr: expect.stringMatching(/may not be used from 127\.0\.0\.1\nThe key is bound to addresses/),
  });
  expect(await login(tenant.liveKey)).toMatchObject({
    code: 3,
    stdout: "",
    stderr: expect.stringMatching(/takes test keys .*\nUse the emulator's own key/),
  });
  await expect(stat(profilesIn(folder))).rejects.toThrow("ENOENT");
});

test("a login says where its server's URL came from when nobody typed it", async () => {
  const [{ api, tenant }, other] = [await setup(), await setup()];
  const { run, folder } = await createHere();
  const stored = async (name: string) => JSON.parse(await readFile(profilesIn(folder), "utf8")).profiles[name].url;
  const env = { USAGEFLOW_URL: api.url };
  const login = (key: string, args: string[], more: Record<string, string> = {}) =>
    run(["login", ...args], { env: more, input: `${key}\n` });
  const first = await login(tenant.testKey, [], env);
  expect(first.stderr).toContain(`The server is that of USAGEFLOW_URL: ${api.url}.\n`);
  const again = await login(tenant.testKey, []);
  expect(again.stderr).toContain(`The server is that of profile default: ${api.url}.\n`);
  const typed = await login(other.tenant.testKey, ["--url", other.api.url, "--profile", "other"], env);
  expect(typed.stderr).not.toContain("The server is that of");
  // A profile that is named goes before the variable, as with every command.
  const named = await login(other.tenant.testKey, ["--profile", "other"], env);
  expect(named.stderr).toContain(`The server is that of profile other: ${other.api.url}.\n`);
  expect(await stored("other")).toBe(other.api.url);
  const moved = await login(tenant.testKey, [], env);
  expect(moved.stderr).toContain(
    `The server is that of USAGEFLOW_URL: ${api.url}; profile other had ${other.api.url}.\n`,
  );
  expect(await stored("other")).toBe(api.url);
});

test("profiles are listed, used, removed, and forgotten by a logout; their keys are never shown", async () => {
  const { api, clients, tenant } = await setup();
  const { run, folder } = await createHere();
  const login = (name: string, key: string) => run(["login", "--url", api.url, "--api-key", key, "--profile", name]);
  const viewer = await clients.tenant.createApiKey({ role: Role.INGEST, name: "app" });
  expect((await login("test", tenant.testKey)).code).toBe(0);
  expect((await login("live", tenant.liveKey)).code).toBe(0);
  expect((await login("app", viewer.secret)).stdout).toMatch(/^Role +ingest$/m);
  expect((await run(["profiles", "use", "test"])).stdout).toBe(`In use: profile test, ${api.url}.\n`);
  const list = await run(["profiles", "list", "--sort", "profile"]);
  expect(list.stdout.replaceAll(api.url, "URL").replace(/ +/g, " ")).toBe(
    "PROFILE URL ORGANIZATION KIND IN USE\napp URL test\nlive URL Acme live\ntest URL Acme test yes\n",
  );
  expect(await run(["profiles", "list", "--output", "yaml"])).toMatchObject({
    stdout: expect.stringContaining("inUse: true"),
  });
  const kind = async (...args: string[]) => JSON.parse((await run(["whoami", "--json", ...args])).stdout).kind;
  expect([await kind(), await kind("--profile", "live")]).toEqual(["test", "live"]);
  expect((await run(["profiles", "remove", "live"])).code).toBe(0);
  expect(errorOf(await run(["whoami", "--profile", "live", "--json"]))).toMatchObject({
    code: "not_found",
    hint: "There are: test, app.",
  });
  expect((await run(["logout"])).stdout).toBe(`Forgotten: profile test, ${api.url}.\n`);
  expect(await run(["logout"])).toMatchObject({ code: 4 });
  expect((await run(["whoami"])).code).toBe(6);
  expect(await readFile(profilesIn(folder), "utf8")).not.toContain(tenant.testKey);
});

test("a login in a shell with an emulator's variables takes what it is given, and says what goes before it", async () => {
  const { api, tenant } = await setup();
  const { run, folder } = await createHere({ USAGEFLOW_URL: "http://127.0.0.1:1", USAGEFLOW_API_KEY: tenant.liveKey });
  const before = "USAGEFLOW_URL and USAGEFLOW_API_KEY are set and go before it: take it with --profile default,";
  const after = `${before} or for good after: unset USAGEFLOW_URL USAGEFLOW_API_KEY\n`;
  const piped = await run(["login", "--url", api.url], { input: `${tenant.testKey}\n` });
  expect(piped).toMatchObject({ code: 0, stderr: `Stored in ${profilesIn(folder)}. ${after}` });
  expect(piped.stdout).toMatch(/^Kind +test$/m);
  const typed = await run(["login", "--url", api.url, "--api-key", tenant.testKey]);
  expect(typed).toMatchObject({ code: 0, stderr: `Replaced in ${profilesIn(folder)}. ${after}` });
  const silent = await run(["login", "--url", api.url, "--json"]);
  expect([silent.code, errorOf(silent).message]).toEqual([2, "no API key and no access token was given"]);
  expect(JSON.parse((await run(["whoami", "--profile", "default", "--json"])).stdout).kind).toBe("test");
});

test("a call with the variables of an emulator that is gone says how to take those of the one that runs", async () => {
  const { api, tenant } = await setup();
  const { run, folder } = await createHere();
  await noteEmulator(folder, api.url, tenant.testKey);
  const again = 'Take its variables again: eval "$(usageflow emulator env --format shell)"';
  const hint = async (env: Record<string, string>, ...args: string[]) =>
    errorOf(await run(["customers", "list", "--json", ...args], { env })).hint;
  const gone = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: `${tenant.testKey}x` };
  expect(await hint(gone)).toBe(`USAGEFLOW_API_KEY is not that of the emulator that runs here. ${again}`);
  expect(await hint({ ...gone, USAGEFLOW_URL: "http://127.0.0.1:1" })).toBe(
    `USAGEFLOW_URL is not that of the emulator that runs here. ${again}`,
  );
  expect(await hint(gone, "--api-key", `${tenant.testKey}y`)).toMatch(/^Give a key with --api-key/);
  const typed = errorOf(await run(["login", "--url", api.url, "--json"], { env: gone, input: "uf_test_wrong" }));
  expect(typed.hint).toBe("Is it the whole key or token, and is it one of this server's?");
});

test("a command that calls several services says once which profile it uses", async () => {
  const { api, tenant } = await setup();
  const { run, folder } = await createHere();
  await noteEmulator(folder, "http://127.0.0.1:1", "");
  expect((await run(["login", "--url", api.url, "--api-key", tenant.testKey])).code).toBe(0);
  const words = `Used is profile default, ${api.url}. An emulator is running too: --profile emulator takes it.\n`;
  expect(await run(["overview"])).toMatchObject({ code: 0, stderr: words });
});

test("flags go before variables, variables before the profile, and a profile that is typed before variables", async () => {
  const { api, tenant } = await setup();
  const { run } = await createHere();
  const kind = async (env: Record<string, string>, ...args: string[]) =>
    JSON.parse((await run(["whoami", "--json", ...args], { env })).stdout).kind;
  expect((await run(["login", "--url", api.url, "--api-key", tenant.testKey, "--profile", "mine"])).code).toBe(0);
  const live = { USAGEFLOW_API_KEY: tenant.liveKey };
  expect(await kind(live)).toBe("live");
  expect(await kind(live, "--api-key", tenant.testKey)).toBe("test");
  expect(await kind(live, "--profile", "mine")).toBe("test");
  const away = { USAGEFLOW_URL: "http://127.0.0.1:1" };
  const refused = await run(["whoami", "--json"], { env: away });
  expect(errorOf(refused).message).toBe("no API key for http://127.0.0.1:1"); // the profile's is for another
  expect(await kind(away, "--url", `${api.url}/`)).toBe("test");
  expect(await kind(away, "--profile=mine")).toBe("test");
});

test("a file that others may read is told of, and one that is broken is not repeated", async () => {
  const { api, tenant } = await setup();
  const { run, folder } = await createHere();
  expect((await run(["login", "--url", api.url, "--api-key", tenant.testKey])).code).toBe(0);
  await chmod(profilesIn(folder), 0o644);
  expect((await run(["profiles", "list"])).stderr).toContain("others may read it. Close it with: chmod 600");
  expect((await run(["profiles", "use", "default"])).code).toBe(0);
  expect((await stat(profilesIn(folder))).mode & 0o777).toBe(0o600);
  await writeFile(profilesIn(folder), `{"current":"x","profiles":{"x":{"apiKey":"${tenant.testKey}"}}}`);
  const { code, stderr } = await run(["whoami"]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining("profiles.json cannot be read\nRemove it, and log in again"),
  ]);
  expect(stderr).not.toContain("uf_test");
});

test.each([
  [["login"], "which server?"],
  [["login", "--url", "ftp://x"], '"ftp://x" is no http or https URL'],
  [
    ["login", "--url", "http://x", "--profile", "a b"],
    '"a b" is no name of a profile: write letters, digits, _ . and -, at most 64',
  ],
  [
    ["login", "--url", "http://x", "--profile", "emulator"],
    '"emulator" stands for the emulator that was started last: take another name',
  ],
])("%j is refused", async (args, message) => {
  const { run } = await createHere();
  const failed = await run([...args, "--json"]);
  expect([failed.code, errorOf(failed).message]).toEqual([2, message]);
});
