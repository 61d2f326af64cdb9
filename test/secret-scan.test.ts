import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newId } from "../server/id.ts";
import { makeSecret } from "../server/tenant/secret-text.ts";
import { serverEnv, whenReady } from "./support/fleet.ts";
import { setup } from "./support/harness.ts";
import { makeScratch } from "./support/scratch.ts";
import { LogScan, SERVER_KEYS, secretsBelow, secretsIn } from "./support/secret-scan.ts";
import { startUsageflow } from "./support/usageflow.ts";

// The scan itself is made of every log of every test: of servers within it (support/harness.ts), and of those that are processes
// (support/usageflow.ts). And of the databases when all tests are over (support/global-setup.ts).

const kinds = ["LIVE", "TEST", "TOKEN", "INVITE"] as const;

test("each kind of secret is found in a text, and what only looks like one is not", () => {
  for (const kind of kinds) {
    const secret = makeSecret(kind, newId());
    expect(secretsIn(`{"key":"${secret}"}`)).toEqual([secret]);
    expect(secretsIn(`${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`)).toEqual([]); // mistyped
    expect(secretsIn(`${secret.slice(0, 12)}...${secret.slice(-4)}`)).toEqual([]); // as it is shown
  }
  const whsec = `whsec_${"A".repeat(44)}`;
  expect(secretsIn(whsec)).toEqual([whsec]);
  for (const form of ["base64", "hex"] as const) {
    for (const key of Object.values(SERVER_KEYS)) expect(secretsIn(`key=${key.toString(form)}`)).toHaveLength(1);
  }
});

test("a secret that a server logs is found, be it a process of its own", async () => {
  const secret = makeSecret("LIVE", newId());
  const line = JSON.stringify({ level: 30, msg: "planted", secret });
  const planted = encodeURIComponent(`console.error(${JSON.stringify(line)})`);
  const scan = new LogScan();
  const child = startUsageflow(["serve", "--role", "worker", "--json"], {
    env: serverEnv(await setup()),
    nodeArgs: ["--import", `data:text/javascript,${planted}`],
    scan,
  });
  await whenReady(child);
  child.kill("SIGTERM");
  await once(child, "close");
  expect(() => scan.check()).toThrow(`a secret is in the log: ${line}`);
});

test("of what a terminal shows, lines of logs are looked at, and answers are not", () => {
  const secret = makeSecret("TEST", newId());
  const found = (text: string) => {
    const scan = new LogScan();
    scan.notePrinted(`Ready.\n${text}\n`);
    return () => scan.check();
  };
  expect(found(`{"level":50,"msg":"rpc","key":"${secret}"}`)).toThrow(secret);
  expect(found(`rpc.broken_off error=${secret}`)).toThrow(secret);
  expect(found(`API key  ${secret}`)).not.toThrow();
});

test("a secret is found wherever it is in a file of the database", async () => {
  const folder = await makeScratch("usageflow-scan-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["base", "pg_wal"]) await mkdir(join(folder, name));
  const secret = makeSecret("TEST", newId());
  const bytes = Buffer.alloc(17 * 1024 * 1024);
  bytes.write(secret, 16 * 1024 * 1024 - 40); // across the end of what is read at a time
  await writeFile(join(folder, "pg_wal", "segment"), bytes);
  await writeFile(join(folder, "base", "table"), "nothing");
  expect(await secretsBelow(folder)).toEqual([`pg_wal/segment: ${secret.slice(0, 16)}...`]);
});
