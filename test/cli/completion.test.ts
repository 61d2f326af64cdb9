import { execFileSync } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { candidates, readNotes } from "../../cli/completion/complete.ts";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { priced } from "../support/billing.ts";
import { setup } from "../support/harness.ts";
import { makeScratch } from "../support/scratch.ts";
import { createPlace } from "./run-cli.ts";
import { createHere } from "./run-here.ts";

const root = new URL("../../", import.meta.url).pathname;
const notes = await readNotes(root);
const valuesOf = async (line: string) => (await candidates(line.split(" "), notes)).map(({ value }) => value);

test.each([
  ["inv", ["invoices"]],
  ["invoices f", ["finalize"]],
  ["help inv", ["invoices"]],
  ["invoices nothing ", []],
  ["invoices list --per", ["--period-before", "--period-from"]],
  ["invoices list --limit 5 --li", []],
  ["deliveries list --type a --typ", ["--type"]],
  ["invoices list --state ", ["draft", "finalized", "paid", "void", "uncollectible"]],
  ["invoices list --state=p", ["--state=paid"]],
  ["invoices list --state = p", ["paid"]],
  ["catalog pull --no", ["--no-versions"]],
  ["completion ", ["bash", "zsh", "fish"]],
  ["catalog push ", []],
  ["emulator exec -- ", []],
])("after %j come %j", async (line, found) => {
  expect((await valuesOf(line)).toSorted()).toEqual(found.toSorted());
});

test("each command and topic says what it is", async () => {
  const found = await candidates([""], notes);
  expect(found.find(({ value }) => value === "invoices")).toEqual({ value: "invoices", about: "The bills." });
  expect(found.filter(({ about }) => about === "")).toEqual([]);
});

test("ids of metrics, plans and endpoints are the server's; profiles the file's", async () => {
  const { api, clients, tenant } = await priced();
  const { endpoint } = await clients.webhook.createEndpoint({ url: "https://example.com/hook" });
  const { run } = await createPlace();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const ask = async (...words: string[]) => (await run(["__complete", ...words], { env })).stdout;
  expect(await ask("usage", "show", "")).toBe("API_CALL\tAPI calls\nEGRESS_BYTES\tEgress\n");
  expect(await ask("subscriptions", "change", "sub_1", "--plan=p")).toBe("--plan=pro\tPro\n");
  expect(await ask("deliveries", "list", "--endpoint", "")).toBe(`${endpoint?.id}\thttps://example.com/hook\n`);
  expect(await ask("whoami", "--profile", "")).toBe("emulator\tthe emulator that was started last\n");
  const away = await run(["__complete", "usage", "show", ""], { env: { USAGEFLOW_URL: "http://127.0.0.1:1" } });
  expect(away).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("ids of API keys, members and access tokens are the server's too; a revoked key is nobody's any more", async () => {
  const { api, clients, tenant } = await setup();
  const { run } = await createPlace();
  const gone = await clients.tenant.createApiKey({ role: Role.VIEWER, name: "gone" });
  await clients.tenant.revokeApiKey({ id: gone.apiKey?.id ?? "" });
  const ask = async (apiKey: string, ...words: string[]) =>
    (await run(["__complete", ...words], { env: { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: apiKey } })).stdout;
  expect(await ask(tenant.testKey, "keys", "revoke", "")).toMatch(/^key_\w{22}\tfirst key\n$/);
  expect(await ask(tenant.testKey, "usage", "explain", "")).toBe("");
  expect(await ask(tenant.ownerToken, "members", "remove", "")).toMatch(/^mem_\w{22}\towner@localhost\n$/);
  expect(await ask(tenant.ownerToken, "tokens", "list", "--member", "")).toMatch(/^mem_\w{22}\towner@localhost\n$/);
  expect(await ask(tenant.ownerToken, "tokens", "revoke", "")).toMatch(/^tok_\w{22}\tfirst token\n$/);
});

test("bash completes with the script", async () => {
  const folder = await makeScratch("usageflow-bash-");
  const bin = join(folder, "usageflow");
  await writeFile(bin, `#!/bin/sh\nexec "${process.execPath}" "${join(root, "cli/bin/run.js")}" "$@"\n`);
  await chmod(bin, 0o755);
  const ask = (words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const script = `source <(usageflow completion bash); COMP_WORDS=(usageflow ${quoted}); COMP_CWORD=${words.length}; _usageflow; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, HOME: folder };
    return execFileSync("bash", ["-c", script], { encoding: "utf8", env });
  };
  expect(ask(["invoices", "v"])).toBe("verify\nvoid\n");
  expect(ask(["invoices", "list", "--state", ""])).toBe("draft\nfinalized\npaid\nvoid\nuncollectible\n");
});

test("a script is there for each shell, and exit codes have a page", async () => {
  const { run } = await createHere();
  for (const shell of ["bash", "zsh", "fish"]) {
    expect((await run(["completion", shell])).stdout).toContain(`# usageflow: completion for ${shell}`);
  }
  expect(await run(["completion", "tcsh"])).toMatchObject({ code: 2 });
  const { code, stdout } = await run(["help", "exit-codes"]);
  expect(code).toBe(0);
  for (const { exit, short } of EXIT_CODES) expect(stdout).toMatch(new RegExp(`^ +${exit}  ${short}`, "m"));
});
