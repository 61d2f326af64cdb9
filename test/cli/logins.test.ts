import { expect, test } from "vitest";
import { serverEnv } from "../support/fleet.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

// From a login that does not see all, policies hide rows without a word: what was not seen must not be told as not there.

test("what is for the owner of the schema, and for the workers' login, is refused to another", async () => {
  const harness = await setup();
  const { database } = harness;
  const { run } = await createHere();
  const { DATABASE_URL: _, USAGEFLOW_WORKER_DATABASE_URL: __, ...env } = serverEnv(harness) as Record<string, string>;
  const commands = [
    ["secrets", "show"],
    ["secrets", "rotate"],
    ["doctor"],
    ["organization", "recover", "ada@example.com"],
    ["init", "--organization", "Other"],
  ];
  for (const command of commands) {
    for (const url of [database.databaseUrl, database.workerDatabaseUrl]) {
      const { code, stdout, stderr } = await run([...command, "--owner-url", url], { env });
      const login = new URL(url).username;
      expect([command, code, stdout]).toEqual([command, 3, ""]);
      expect(stderr).toMatch(
        new RegExp(`^Error: login "${login}" would not see all there is: this takes that of "\\w+"\n`),
      );
    }
  }
  const status = await run(["status", "--worker-url", database.databaseUrl]);
  expect(status).toMatchObject({ code: 3, stderr: expect.stringContaining('takes that of "usageflow_worker"') });
  expect(await run(["secrets", "show", "--owner-url", database.ownerUrl], { env })).toMatchObject({ code: 0 });
});
