import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../server/clock.ts";
import { createReadinessCheck } from "../../server/readiness.ts";
import { registerProcess } from "../../server/server-process.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

test("status shows processes, versions, what waits and what failed, with the workers' login and without a server", async () => {
  const harness = await setup();
  const { database, addApp, ownerDb, tenant } = harness;
  const { run } = await createHere({ USAGEFLOW_WORKER_DATABASE_URL: database.workerDatabaseUrl });
  const empty = await run(["status"]);
  expect(empty.code).toBe(1);
  expect(empty.stdout).toMatch(
    /^PROBLEM {2}no process works in the background: .*\nPROBLEM {2}no process answers calls\n\nVersion/,
  );

  const app = await addApp({}, systemClock);
  const failed = { at: new Date(), error: "something broke" };
  const loops = [{ name: "billTenants", working: false, aliveAt: new Date(), failures: 7, lastError: failed }];
  const readiness = createReadinessCheck(app, () => loops);
  const registration = registerProcess(app, readiness, { role: "all", url: "http://here:8080", loops: () => loops });
  onTestFinished(() => registration.close());
  await sql`insert into usage_batch (tenant_id, id, created_at)
    values (${tenant.testId}, gen_random_uuid(), now() - interval '10 minutes')`.execute(ownerDb);
  await expect.poll(async () => (await ownerDb.selectFrom("server_process").select("id").execute()).length).toBe(1);
  const { code, stdout } = await run(["status"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^PROBLEM {2}\S+:\d+: the loop billTenants has failed 7 times in a row\nPROBLEM {2}usage to be counted, in batches: the oldest has waited for 10 min\n/,
  );
  expect(stdout).toMatch(/Version {2}\d+\.\d+\.\d+\nSchema {3}\d{4}_\w+, as this program knows it\n/);
  expect(stdout).toMatch(
    /\nPROCESS +ROLE +VERSION +STATE +SEEN +UP +URL\n\S+:\d+ +all +\d+\.\d+\.\d+ +not ready +\d s ago/,
  );
  expect(stdout).toMatch(/\nusage to be counted, in batches +1 +10 min\n/);
  expect(stdout).toMatch(/\nLAST ERROR +PROCESS +LOOP +ERROR\n\d+ s ago +\S+ +billTenants +something broke\n/);

  loops.length = 0;
  await sql`delete from usage_batch`.execute(ownerDb);
  await sql`update server_process set problems = '{}', loops = '[]'`.execute(ownerDb);
  const well = await run(["status", "--json"]);
  expect([well.code, JSON.parse(well.stdout)]).toMatchObject([
    0,
    { problems: [], processes: [{ role: "all", there: true }] },
  ]);
  await registration.close();
  const gone = JSON.parse((await run(["status", "--json"])).stdout);
  expect(gone.processes).toEqual([]);
  expect((await run(["status"], { env: { USAGEFLOW_WORKER_DATABASE_URL: "" } })).code).toBe(2);
  await expect(sql`select * from server_process`.execute(app.db)).rejects.toThrow(/permission denied/); // no call sees it
});
