import { randomBytes } from "node:crypto";
import pg from "pg";
import { expect, test } from "vitest";
import { systemClock } from "../../server/clock.ts";
import { defaults } from "../../server/config.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { createOwnedDatabase } from "../support/owned-database.ts";
import { createHere } from "./run-here.ts";

const masterKey = randomBytes(32);
const keyPepper = randomBytes(32);
const KEYS = {
  USAGEFLOW_MASTER_KEY: masterKey.toString("base64"),
  USAGEFLOW_KEY_PEPPER: keyPepper.toString("base64"),
};

test("doctor says what is broken and what to do, as an owner whom policies bind, and exits with 1", async () => {
  const { ownerUrl } = await createOwnedDatabase();
  await migrate(ownerUrl);
  const secrets = createSecrets({ ...defaults, masterKey, keyPepper });
  const { live } = await initOrganization(ownerUrl, { secrets, clock: systemClock }, { name: "Acme" });
  const { run } = await createHere({ USAGEFLOW_OWNER_DATABASE_URL: ownerUrl });
  const sound = await run(["doctor"], { env: KEYS });
  expect([sound.code, sound.stdout, sound.stderr]).toEqual([
    0,
    "",
    expect.stringMatching(/^\d+ invariants hold, 0 broken\n$/),
  ]);
  const keyless = await run(["doctor", "--only", "audit-whole", "--json"]);
  expect(JSON.parse(keyless.stdout)).toMatchObject({ broken: 0, unfinished: 0, invariants: [{ name: "audit-whole" }] });
  expect((await run(["doctor", "--only", "audit-whole"])).stderr).toBe("1 invariant holds, 0 broken\n");

  const client = new pg.Client(ownerUrl);
  await client.connect();
  await client.query(`begin; set local app.tenant_id = '${live.tenantId}';
    insert into usage_batch (tenant_id, id, created_at) values ('${live.tenantId}', gen_random_uuid(), now() - interval '1 day');
    commit; alter table usage_batch no force row level security`);
  await client.end();
  const broken = await run(["doctor"], { env: KEYS });
  expect(broken.code).toBe(1);
  expect(broken.stdout).toMatch(
    /^BROKEN tables-bound: .*\n {2}the database: table usage_batch\n {2}What it means: .*\n {2}What to do: alter/,
  );
  expect(broken.stdout).toMatch(/BROKEN work-done: .*\n {2}ten_\w+: usage has waited to be counted since/);
  expect(broken.stderr).toMatch(/hold, 2 broken\n$/);
  const json = JSON.parse((await run(["doctor", "--json", "--only", "work-done"])).stdout);
  expect(json).toMatchObject({
    broken: 1,
    invariants: [{ name: "work-done", violations: [{}], meaning: expect.any(String) }],
  });

  expect((await run(["doctor", "--only", "usage"])).code).toBe(2);
  expect((await run(["doctor", "--list"])).stdout).toMatch(/^tables-bound +Every table/);
});
