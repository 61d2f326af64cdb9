import { sql } from "kysely";
import { expect, test } from "vitest";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { claimDeliveries, FIRST_TURN } from "../../server/webhook/claim-deliveries.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { setup } from "../support/harness.ts";
import { stageEvents, times } from "./stage-events.ts";

const url = "http://localhost:1/webhooks";

test("a tenant without room hides nobody else's deliveries, however many endpoints it has", async () => {
  const { app, clients, tenant, clientsFor, addOrganization, ownerDb } = await setup({ config: { emulator: true } });
  const full = await addOrganization("Full"); // its id, and so its turn, comes after the first tenant's
  await clientsFor(full.testKey).webhook.createEndpoint({ url });
  // What a claim reads of them: nothing is sent.
  await sql`
    insert into endpoint select (jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid()))).*
    from endpoint one, generate_series(1, 400)`.execute(ownerDb);
  await clients.webhook.createEndpoint({ url });
  await stageEvents(app, tenant.testId, times(1));
  await stageEvents(app, full.testId, times(1));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  const room = { free: () => 100, ofTenant: (id: string) => (id === full.testId ? 0 : 10), ofEndpoint: () => 10 };
  const { claimed } = await claimDeliveries(app, FIRST_TURN, room);
  expect(claimed.map((delivery) => delivery.tenant_id)).toEqual([tenant.testId]);
});
