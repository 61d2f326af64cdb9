import { expect, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";

test("one event over POST /api/track is accepted, then a duplicate", async () => {
  const { api, tenant, clients, drain, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const send = () =>
    fetch(`${api.url}/api/track`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-usageflow-api-key": tenant.testKey },
      body: '{"metric":"API_CALL","amount":1000,"customerId":"user_123","idempotencyKey":"a"}',
    });
  const first = await send();
  expect([first.status, await first.json()]).toEqual([200, { outcome: "accepted", idempotencyKey: "a" }]);
  expect(await (await send()).json()).toEqual({ outcome: "duplicate", idempotencyKey: "a" });
  await drain();
  expect(await ownerDb.selectFrom("usage_bucket").selectAll().execute()).toMatchObject([{ amount_sum: "1000" }]);
});
