import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { systemClock } from "../../server/clock.ts";
import { appUrls } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { newId } from "../../server/id.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import type { PartDone, PartTask } from "./close-month-part.ts";

// Closing a month of many customers with three prices, against reading their buckets with one statement per customer. In
// a database of its own, where no other worker is.

const DATABASE = "bench_close_month";
// Hours of the month in which a customer used something, of each metric.
const HOURS = 10;

/** How a month was closed. */
export interface ClosedMonth {
  customers: number;
  ms: number;
  floorMs: number;
  /** The most memory that the worker held. */
  peakMb: number;
}

/** Makes the database, and answers how to close a month in it. Each is one of a new organization. */
export async function openMonths(adminUrl: string, log: number): Promise<(customers: number) => Promise<ClosedMonth>> {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  const ownerUrl = url.href;
  await query(adminUrl, `create database ${DATABASE}`);
  await migrate(ownerUrl);
  const key = randomBytes(32);
  const parts = { secrets: createSecrets({ masterKey: key, keyPepper: key }), clock: systemClock };
  return async (customers) => {
    const testClock = new Date("2015-05-31T12:00:00Z");
    const { test } = await initOrganization(ownerUrl, parts, { name: `${customers} customers`, testClock });
    const { tenantId, secret } = test;
    await report(ownerUrl, tenantId, customers);
    const run = (part: PartTask["part"]) =>
      runPart({ part, ownerUrl, ...appUrls(ownerUrl), key: key.toString("base64"), secret, tenantId, customers }, log);
    await run("prepare");
    await query(ownerUrl, "vacuum analyze");
    await query(ownerUrl, `update tenant set clock_frozen_at = '2015-06-01T01:00:00Z' where tenant_id = '${tenantId}'`);
    const floor = await run("floor");
    const { ms, peakMb } = await run("close");
    return { customers, ms, floorMs: floor.ms, peakMb };
  };
}

/** Stores usage as ingest does, and leaves it to be folded. */
async function report(ownerUrl: string, tenantId: string, customers: number): Promise<void> {
  const batch = newId();
  await query(
    ownerUrl,
    `insert into usage_event
      (tenant_id, idempotency_key, metric, customer_id, amount, occurred_at, occurred_at_sent, properties, batch_id)
    select $1, concat_ws('-', metric, customer, n), metric, customer, 1 + n * 7 % 97,
      timestamptz '2015-05-01T00:00:00Z' + n * interval '71 hours', true, '{}', $2
    from (select 'customer-' || lpad(i::text, 5, '0') as customer from generate_series(1, $3::integer) i) as customers,
      unnest('{CALLS,BYTES,JOBS}'::text[]) as metric, generate_series(1, $4::integer) n`,
    [tenantId, batch, customers, HOURS],
  );
  await query(ownerUrl, "insert into usage_batch (tenant_id, id, created_at) values ($1, $2, now())", [
    tenantId,
    batch,
  ]);
}

function runPart(task: PartTask, log: number): Promise<PartDone> {
  const path = new URL("close-month-part.ts", import.meta.url).pathname;
  const child = fork(path, [JSON.stringify(task)], { stdio: ["ignore", log, log, "ipc"] });
  return new Promise((resolve, reject) => {
    child.once("message", (done) => resolve(done as PartDone));
    child.once("exit", (code) => reject(new Error(`${task.part} ended with ${code}`)));
  });
}

async function query(url: string, text: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(text, values).finally(() => client.end());
}
