import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newId } from "../server/id.ts";
import { makeSecret } from "../server/tenant/secret-text.ts";
import { makeScratch } from "./support/scratch.ts";
import { secretsBelow, secretsIn } from "./support/secret-scan.ts";

// The scan itself is made of every log of every test, and of the databases when all tests are over (support/global-setup.ts).

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
