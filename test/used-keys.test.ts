import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../server/clock.ts";
import { inTenant, openDatabase } from "../server/db/database.ts";
import { migrate } from "../server/db/migrate.ts";
import { createSecrets } from "../server/secrets.ts";
import { appendAudit } from "../server/tenant/audit-chain.ts";
import { initOrganization } from "../server/tenant/init-organization.ts";
import { recoverOrganization } from "../server/tenant/recover-organization.ts";
import { checkKeys } from "../server/used-keys.ts";
import { serverEnv, whenReady } from "./support/fleet.ts";
import { setup } from "./support/harness.ts";
import { createOwnedDatabase } from "./support/owned-database.ts";
import { ended, startUsageflow } from "./support/usageflow.ts";

const newKey = () => randomBytes(32);
const secretsOf = (masterKey = newKey(), keyPepper = newKey()) => createSecrets({ masterKey, keyPepper });
const hex = (id: Buffer | undefined) => id?.toString("hex") ?? "-";

/** Starts a server as its operator does, and stops it when it is ready: how it ended, and what it said of it. */
async function serveOnce(role: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = startUsageflow(["serve", "--role", role, "--json"], { env, signal: "SIGKILL" });
  const stderr = text(child.stderr);
  const isReady = await whenReady(child).then(
    () => child.kill("SIGTERM"),
    () => false,
  );
  await ended(child);
  if (isReady) return "ready";
  const { code, message, hint } = JSON.parse((await stderr).trimEnd().split("\n").at(-1) ?? "").error;
  return [child.exitCode, code, message, hint].join(" | ");
}

test("a server without the database's keys does not start, in any role, and says which it looked for", async () => {
  const harness = await setup();
  const { secrets } = harness.app;
  const other = newKey();
  const wrong = { USAGEFLOW_MASTER_KEY: other.toString("base64") };
  const start = (role: string, settings: Record<string, string>) => serveOnce(role, serverEnv(harness, settings));
  for (const role of ["api", "worker", "all"]) {
    const told = await start(role, wrong);
    expect(told).toMatch(
      /^5 \| failed_precondition \| .*USAGEFLOW_MASTER_KEY.*USAGEFLOW_OTHER_MASTER_KEYS.*secrets show$/,
    );
    expect(told).toContain(`used with the master key ${hex(secrets.masterKeyIds[0])}`);
    expect(told).toContain(`given here is ${hex(secretsOf(other).masterKeyIds[0])}`);
    expect(told).not.toContain("pepper");
  }
  const pepper = await start("api", { USAGEFLOW_KEY_PEPPER: other.toString("base64") });
  expect(pepper).toMatch(/^5 .*USAGEFLOW_KEY_PEPPER.*USAGEFLOW_OTHER_KEY_PEPPERS/);
  expect(pepper).toContain(`used with the pepper ${hex(secrets.pepperIds[0])}`);
  expect(await start("all", {})).toBe("ready");
});

test("keys are changed as the guide says: the new one first and the one before among the others, then without that", async () => {
  const harness = await setup();
  const before = serverEnv(harness);
  const [master, pepper] = [newKey(), newKey()].map((key) => key.toString("base64")) as [string, string];
  const news = { USAGEFLOW_MASTER_KEY: master, USAGEFLOW_KEY_PEPPER: pepper };
  const others = {
    USAGEFLOW_OTHER_MASTER_KEYS: before.USAGEFLOW_MASTER_KEY as string,
    USAGEFLOW_OTHER_KEY_PEPPERS: before.USAGEFLOW_KEY_PEPPER as string,
  };
  const start = (settings: Record<string, string>) => serveOnce("api", serverEnv(harness, settings));
  // One that is only coming is not used yet.
  expect(await start({ USAGEFLOW_OTHER_MASTER_KEYS: master, USAGEFLOW_OTHER_KEY_PEPPERS: pepper })).toBe("ready");
  expect(await start(news)).toMatch(/used with the master key .*; .* used with the pepper /);
  expect(await start({ ...news, ...others })).toBe("ready");
  expect(await start(news)).toBe("ready");
});

test("nothing depends on a key before there is an organization, and another organization is made with known keys only", async () => {
  const { ownerUrl } = await createOwnedDatabase();
  await migrate(ownerUrl);
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs: 10_000, onIdleError: () => {} });
  onTestFinished(() => db.destroy());
  const parts = () => ({ secrets: secretsOf(), clock: systemClock });
  for (let times = 0; times < 2; times++) await checkKeys(db, parts());
  const own = parts();
  await initOrganization(ownerUrl, own, { name: "Acme" });
  await initOrganization(ownerUrl, own, { name: "Other" });
  const strange = { name: "KeysError" };
  await expect(initOrganization(ownerUrl, parts(), { name: "Third" })).rejects.toMatchObject(strange);
  await expect(
    recoverOrganization(ownerUrl, parts(), "ada@example.com", ([one]) => one as never),
  ).rejects.toMatchObject(strange);
  await expect(checkKeys(db, parts())).rejects.toMatchObject(strange);
  expect(await db.selectFrom("organization").select("name").orderBy("name").execute()).toHaveLength(2);

  // The key is lost for good: as the guide says.
  const pepperKept = { ...own, secrets: { ...parts().secrets, pepperIds: own.secrets.pepperIds } };
  await expect(checkKeys(db, pepperKept)).rejects.toThrow("USAGEFLOW_MASTER_KEY");
  await sql`delete from used_key where kind = 'master key'`.execute(db);
  await checkKeys(db, pepperKept);
  await expect(checkKeys(db, own)).rejects.toThrow("USAGEFLOW_MASTER_KEY");
});

test("a database from before knows after its migration what it was used with, as an owner whom policies bind", async () => {
  const { ownerUrl } = await createOwnedDatabase();
  await migrate(ownerUrl);
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs: 10_000, onIdleError: () => {} });
  onTestFinished(() => db.destroy());
  const [first, later] = [newKey(), newKey()];
  const pepper = newKey();
  const before = { secrets: secretsOf(first, pepper), clock: systemClock };
  const { live, organization } = await initOrganization(ownerUrl, before, { name: "Acme" });
  const signedLater = { secrets: secretsOf(later, pepper), clock: systemClock };
  for (const [app, place] of [
    [before, live.tenantId],
    [signedLater, organization.id],
  ] as const) {
    await inTenant(db, place, (tx) =>
      appendAudit(app, tx, place, {
        ...{ action: "PutCustomer", actor: "", keyId: "", address: "", requestId: "", subject: "" },
        ...{ refusal: "", leftOutCount: 0, detail: "{}" },
      }),
    );
  }
  await sql`drop table used_key`.execute(db);
  await sql`delete from schema_migration where name = '0058_used_key'`.execute(db);
  expect(await migrate(ownerUrl)).toEqual(["0058_used_key"]);
  const { rows } = await sql<{ kind: string; id: string }>`
    select kind, encode(key_id, 'hex') as id from used_key order by kind, id`.execute(db);
  const masters = [before, signedLater].map(({ secrets }) => hex(secrets.masterKeyIds[0])).sort();
  expect(rows).toEqual([
    ...masters.map((id) => ({ kind: "master key", id })),
    { kind: "pepper", id: hex(before.secrets.pepperIds[0]) },
  ]);
});
