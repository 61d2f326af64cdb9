import { randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { startPostgres } from "../../cli/emulator/postgres.ts";
import { startApi } from "../../server/api.ts";
import { closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { openDatabase } from "../../server/db/database.ts";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { drain } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";

// What things take on disk, indexes included: `node test/bench/storage.ts`. Sizes do not depend on how busy the machine is.

const EVENTS = 50_000;
const BATCH = 1_000;
const CUSTOMERS = 500;
const DELIVERIES = 5_000;

const folder = await mkdtemp(join(tmpdir(), "usageflow-storage-"));
await chmod(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres"), durable: false, password: "bench" });
await migrate(postgres.url);
await setLoginPasswords(postgres.url);
const { db } = openDatabase({
  url: postgres.url,
  connectionsMax: 1,
  statementTimeoutMs: 60_000,
  onIdleError: () => {},
});
const key = randomBytes(32);
const config: Config = {
  ...defaults,
  ...appUrls(postgres.url),
  ...{ port: 0, masterKey: key, keyPepper: randomBytes(32), emulator: true, logLevel: "error", shutdownDelayMs: 0 },
};
const { test } = await initOrganization(
  postgres.url,
  { secrets: createSecrets(config), clock: systemClock },
  { name: "Bench" },
);
const receiver = createServer((_, response) => response.writeHead(204).end());
await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const app = await createApp(config);
const api = await startApi(app);
const clients = createClients(api.url, test.secret);
await clients.pricing.pushCatalog({ catalog: { ...catalog, defaultPlan: "" } });

/** Bytes of tables with their indexes, partitions included. */
async function bytes(...tables: string[]): Promise<number> {
  await sql`vacuum full`.execute(db);
  const { rows } = await sql<{ bytes: bigint }>`
    select coalesce(sum(pg_total_relation_size(part)), 0)::bigint as bytes from (
      select distinct coalesce(tree.relid, name::regclass) as part
      from unnest(${tables}::text[]) as name left join lateral pg_partition_tree(name::regclass) as tree on true
    ) as parts`.execute(db);
  return Number(rows[0]?.bytes);
}

const tell = (what: string, count: number, before: number, after: number) =>
  console.log(`${what}: ${Math.round((after - before) / count)} bytes each (${count})`);

const [noEvents, noBuckets] = [await bytes("usage_event"), await bytes("usage_bucket")];
for (let sent = 0; sent < EVENTS; sent += BATCH) {
  const events = Array.from({ length: BATCH }, (_, n) => ({
    ...{ metric: "API_CALL", amount: "1", idempotencyKey: randomUUID() },
    ...{ customerId: `customer_${(sent + n) % CUSTOMERS}`, properties: { region: "eu-west-1" } },
  }));
  await clients.usage.trackUsage({ events });
}
await drain(app);
tell("usage event, with a UUID as its key and one property", EVENTS, noEvents, await bytes("usage_event"));
tell("bucket: customer, metric, hour", CUSTOMERS, noBuckets, await bytes("usage_bucket"));

const log = ["outbox_event", "delivery", "delivery_attempt", "delivery_due"];
const { port } = receiver.address() as AddressInfo;
await clients.webhook.createEndpoint({ url: `http://127.0.0.1:${port}/`, eventTypes: ["customer.created"] });
const noLog = await bytes(...log);
for (let n = 0; n < DELIVERIES; n++) await clients.tenant.putCustomer({ customer: { id: `new_${n}` } });
await drain(app);
tell("event with one delivery and its attempt", DELIVERIES, noLog, await bytes(...log));
console.log(
  `resident memory of this process, API and workers: ${Math.round(process.memoryUsage().rss / 1024 / 1024)} MiB`,
);

await api.close();
receiver.close();
receiver.closeAllConnections();
await closeApp(app);
await db.destroy();
await postgres.stop();
await rm(folder, { recursive: true, force: true });
