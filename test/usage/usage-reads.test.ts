import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { inTenant, type Tx } from "../../server/db/database.ts";
import { eventAmounts } from "../../server/usage/event-amounts.ts";
import { recountUsage } from "../../server/usage/usage-recount.ts";
import type { UsageSpan } from "../../server/usage/usage-span.ts";
import { usageTotals } from "../../server/usage/usage-total.ts";
import { priced } from "../support/billing.ts";

// How many rows statements read, and not how long they take: of each span its own, also where the usage of all customers
// stands beside each other in an index, and the tables are young and not analyzed.

const CUSTOMERS = 1_000;
const customers = Array.from({ length: CUSTOMERS }, (_, i) => `customer_${i}`);
const at = new Date("2015-05-20T10:30:00Z");

const spansOf = (start: string, end: string) =>
  customers.map(
    (customerId): UsageSpan => ({
      ...{ customerId, metric: "API_CALL", aggregation: "SUM" },
      start: new Date(start),
      end: new Date(end),
    }),
  );
const whole = spansOf("2015-05-01T00:00:00Z", "2015-06-01T00:00:00Z");
const cut = spansOf("2015-05-20T10:15:00Z", "2015-05-20T10:45:00Z");

test.each<[string, string, (tx: Tx, tenantId: string) => Promise<unknown>]>([
  ["buckets of whole hours", "usage_bucket", (tx, tenantId) => usageTotals(tx, tenantId, whole)],
  ["events of cut hours", "usage_event", (tx, tenantId) => usageTotals(tx, tenantId, cut)],
  ["events of a recount", "usage_event", (tx, tenantId) => recountUsage(tx, tenantId, whole, 10n)],
  ["single events", "usage_event", (tx, tenantId) => Array.fromAsync(eventAmounts(tx, tenantId, whole, 10n))],
])("%s are read once for each span", async (_, table, read) => {
  const { app, clients, drain, tenant } = await priced();
  const occurredAt = timestampFromDate(at);
  const events = customers.map((customerId) => ({ metric: "API_CALL", amount: "1", customerId, occurredAt }));
  await clients.usage.trackUsage({ events });
  await drain();
  const rowsRead = await inTenant(app.db, tenant.testId, async (tx) => {
    await read(tx, tenant.testId);
    const { rows } = await sql<{ read: bigint }>`
      select seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_all_tables where relname = ${table}
    `.execute(tx);
    return rows[0]?.read;
  });
  expect(rowsRead).toBeGreaterThan(0n);
  expect(rowsRead).toBeLessThanOrEqual(BigInt(2 * CUSTOMERS));
});
