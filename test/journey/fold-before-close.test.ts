import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import pg from "pg";
import { expect, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { listAllInvoices, setup } from "../support/harness.ts";

test("a clock does not pass usage that another worker is just folding", async () => {
  const { clients, database, tenant, drain } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  await drain();
  await clients.usage.trackUsage({ events: [{ metric: "API_CALL", amount: "150", customerId: "user_123" }] });
  // Another worker has claimed the batch and not committed yet.
  const other = new pg.Client(database.ownerUrl);
  await other.connect();
  await other.query("begin");
  await other.query("insert into usage_progress values ($1, 0) on conflict do nothing", [tenant.testId]);
  await other.query("select from usage_progress for update");
  await other.query("delete from usage_batch");

  await clients.tenant.advanceClock({
    destination: { case: "to", value: timestampFromDate(new Date("2015-06-02T00:00:00Z")) },
  });
  const walked = drain();
  const watcher = new pg.Client(database.ownerUrl);
  await watcher.connect();
  const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  for (let found = 0; found === 0; ) found = (await watcher.query(waiting)).rowCount ?? 0;
  await other.query("rollback"); // it was killed
  await walked;
  await Promise.all([other.end(), watcher.end()]);

  const [invoice] = await listAllInvoices(clients);
  expect(invoice).toMatchObject({ number: "INV-000001", totalMinor: 2_617n });
});
