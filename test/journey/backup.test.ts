import { execFile } from "node:child_process";
import { chmod, chown, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { appUrls } from "../../server/db/login.ts";
import { drain, startWorker } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { debianPostgres, startDebianPostgres } from "../support/debian-postgres.ts";
import { doctorOf } from "../support/doctor.ts";
import { type Harness, setup } from "../support/harness.ts";
import { startOwnPostgres } from "../support/own-postgres.ts";
import { makeScratch } from "../support/scratch.ts";
import { makeTemplate } from "../support/template.ts";

// A base backup of PostgreSQL is taken while clients write and workers work, and another PostgreSQL is started on it. What was
// acknowledged before the backup is there, the books are right, and a server goes on from there.

const CLIENTS = 4;
const BEFORE = 100; // acknowledged before the backup begins

/** Clients that track usage and make customers until `end`. */
function startLoad({ clients }: Harness) {
  const acknowledged: string[] = [];
  let over = false;
  const client = async (name: string) => {
    for (let n = 0; !over; n++) {
      const key = `${name}-${n}`;
      const event = { metric: "API_CALL", amount: "1", customerId: `user_${n % 20}`, idempotencyKey: key };
      await clients.usage.trackUsage({ events: [event] });
      if (n % 5 === 0) await clients.tenant.putCustomer({ customer: { id: key } });
      acknowledged.push(key);
    }
  };
  const running = Promise.all(Array.from({ length: CLIENTS }, (_, place) => client(`client-${place}`)));
  running.catch(() => {}); // it is heard of at the end
  return {
    acknowledged,
    async end() {
      over = true;
      await running;
    },
  };
}

/** Copies the data of a PostgreSQL at work, as a base backup does (PostgreSQL's manual, "Low Level API"). */
async function backUp(adminUrl: string, from: string, to: string): Promise<void> {
  const copy = async (source: string, target: string) => {
    // A file may go while others are copied; its end is in the log that is replayed.
    const told = await promisify(execFile)("cp", ["-a", source, target]).catch((error: { stderr: string }) => error);
    const others = told.stderr.split("\n").filter((line) => line !== "" && !line.includes("No such file"));
    if (others.length > 0) throw new Error(others.join("\n"));
  };
  const session = new pg.Client(adminUrl);
  await session.connect();
  await session.query("select pg_backup_start('test', true)");
  await copy(from, to);
  const { rows } = await session.query("select labelfile from pg_backup_stop(false)");
  await session.end();
  await rm(join(to, "postmaster.pid"), { force: true });
  await rm(join(to, "pg_wal"), { recursive: true });
  await copy(join(from, "pg_wal"), to);
  const { uid, gid } = await stat(join(to, "PG_VERSION"));
  await writeFile(join(to, "backup_label"), rows[0].labelfile);
  await chown(join(to, "backup_label"), uid, gid);
}

/** A harness under load, with workers, when some is acknowledged. */
async function underLoad(adminUrl: string) {
  const harness = await setup({ adminUrl });
  await harness.clients.pricing.pushCatalog({ catalog });
  await harness.clients.webhook.createEndpoint({ url: "https://receiver.invalid/", eventTypes: ["customer.*"] });
  const worker = startWorker(await harness.addApp({}, systemClock));
  const load = startLoad(harness);
  while (load.acknowledged.length < BEFORE) await pause(10);
  const end = async () => {
    await load.end();
    await worker.close();
  };
  return { harness, acknowledged: load.acknowledged, end };
}

/** Lets a server go on from what was restored: the books are right before and after, and everything is there. */
async function expectWhole(harness: Harness, ownerUrl: string, acknowledged: readonly string[]): Promise<void> {
  const app = await createApp(
    { ...harness.app.config, ...appUrls(ownerUrl) },
    { clock: harness.clock, log: harness.app.log },
  );
  onTestFinished(() => closeApp(app));
  const restored = { ...harness, database: { ...harness.database, ownerUrl } };
  expect(await doctorOf(restored, { clock: systemClock })).toEqual([]);
  await drain(app);
  expect(await doctorOf(restored, { clock: systemClock })).toEqual([]);
  const keys = await keysIn(ownerUrl);
  expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
}

test("a base backup under load, restored elsewhere, has what was acknowledged before it, and its books are right", async () => {
  const postgres = await startOwnPostgres();
  const { harness, acknowledged, end } = await underLoad(postgres.adminUrl);
  // On a live system the doctor finds nothing either, and hurts nobody: no call fails.
  expect(await doctorOf(harness, { clock: systemClock })).toEqual([]);
  const before = [...acknowledged];
  const folder = await makeScratch("usageflow-backup-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755); // PostgreSQL may run under another account
  const dataDir = join(folder, "postgres");
  await backUp(postgres.adminUrl, postgres.dataDir, dataDir);
  await end();
  expect(acknowledged.length).toBeGreaterThan(before.length); // it was under load

  const restored = await startPostgres({ dataDir, durable: false, password: "test" });
  onTestFinished(() => restored.stop());
  const ownerUrl = new URL(harness.database.ownerUrl);
  ownerUrl.port = String(restored.port);
  await expectWhole(harness, ownerUrl.href, before);
}, 120_000);

test.skipIf(!debianPostgres)(
  "so has a dump, on the PostgreSQL that is installed here",
  async () => {
    const { adminUrl, run } = await startDebianPostgres(debianPostgres as string);
    await makeTemplate(adminUrl);
    const { harness, acknowledged, end } = await underLoad(adminUrl);
    const before = [...acknowledged];
    const file = join(await makeScratch("usageflow-dump-"), "usageflow.dump");
    onTestFinished(() => rm(dirname(file), { recursive: true, force: true }));
    await run("pg_dump", "--format=custom", `--file=${file}`, harness.database.ownerUrl);
    await end();
    const ownerUrl = new URL(adminUrl);
    ownerUrl.pathname = "/restored";
    await run("createdb", "--maintenance-db", adminUrl, "restored");
    await run("pg_restore", "--exit-on-error", `--dbname=${ownerUrl.href}`, file);
    await expectWhole(harness, ownerUrl.href, before);
  },
  120_000,
);

test.skipIf(debianPostgres)("no pg_dump with its server was found on this machine, and no dump was tried", () => {});

async function keysIn(url: string): Promise<Set<string>> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query("select idempotency_key from usage_event");
  await client.end();
  return new Set(rows.map((row) => row.idempotency_key));
}
