import { expect, test } from "vitest";
import { inTenant } from "../../server/db/database.ts";
import { holdDue, makeDue } from "../../server/tenant/due.ts";
import { leaveNews } from "../../server/usage/usage-watch.ts";
import { setup } from "../support/harness.ts";
import { untilWaiting } from "../support/waiting.ts";

test("news of both watchers makes their work due in one order, however it comes: nobody waits in a circle", async () => {
  const { app, ownerDb, tenant } = await setup();
  const now = app.clock.now();
  const of = (watcher: "LATE_USAGE" | "THRESHOLDS") => ({ watcher, customer_id: "ann", first_hour: now });
  await inTenant(app.workerDb, tenant.testId, (tx) => makeDue(tx, tenant.testId, "BILL_LATE_USAGE", now));
  const fold = await inTenant(app.workerDb, tenant.testId, async (tx) => {
    await holdDue(tx, tenant.testId, "BILL_LATE_USAGE"); // as who changes a subscription
    const news = inTenant(app.workerDb, tenant.testId, (other) =>
      leaveNews(other, tenant.testId, [of("THRESHOLDS"), of("LATE_USAGE")], now),
    );
    news.catch(() => {}); // looked at below
    await untilWaiting(ownerDb);
    await makeDue(tx, tenant.testId, "CHECK_THRESHOLDS", now); // and has its thresholds looked at
    return { news };
  });
  await expect(fold.news).resolves.toBeUndefined();
  expect(await ownerDb.selectFrom("usage_news").select("watcher").execute()).toHaveLength(2);
});
