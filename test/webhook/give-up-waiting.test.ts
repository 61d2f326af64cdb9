import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { parseId } from "../../server/id.ts";
import { expireListeners } from "../../server/webhook/expire-listeners.ts";
import { isOpen, setupListening } from "./listening.ts";

const HOUR = 60 * 60_000;

describe("a listener", () => {
  test("has any number given up, some at a time, and what is of other types stays", async () => {
    const { listen, ownerDb, tenant } = await setupListening();
    const stream = listen();
    const [ready] = await stream.until(isOpen);
    stream.stop();
    await stream.ended;
    const endpointId = parseId("whe", ready?.message.case === "ready" ? (ready.message.value.endpoint?.id ?? "") : "");
    await sql`
      with made as (
        insert into delivery (tenant_id, id, event_id, event_type, endpoint_id, sequence, state, created_at)
        select ${tenant.testId}, uuidv7(), uuidv7(), case when place % 5 = 0 then 'invoice.paid' else 'invoice.voided' end,
          ${endpointId}, place, 'PENDING', now()
        from generate_series(1, 15000) as place
        returning *
      )
      insert into delivery_due (tenant_id, delivery_id, event_id, endpoint_id, sequence, created_at, next_attempt_at)
      select tenant_id, id, event_id, endpoint_id, sequence, created_at, created_at from made`.execute(ownerDb);
    const [again] = await listen({ eventTypes: ["invoice.paid"] }).until(isOpen);
    expect(again?.message.value).toMatchObject({ waitingCount: 3_000n });
    const { rows } = await sql`
      select d.state, d.event_type, count(*)::integer, count(due.delivery_id)::integer as due
      from delivery d left join delivery_due due on due.delivery_id = d.id group by 1, 2 order by 1`.execute(ownerDb);
    expect(rows).toEqual([
      { state: "FAILED", event_type: "invoice.voided", count: 12_000, due: 0 },
      { state: "PENDING", event_type: "invoice.paid", count: 3_000, due: 3_000 },
    ]);
  });

  test("of one tenant that cannot be deleted keeps no other's", async () => {
    const { addOrganization, app, clientsFor, clock, listen, ownerDb, tenant } = await setupListening();
    const other = await addOrganization("Other");
    const streams = [listen(), listen({}, clientsFor(other.testKey))];
    for (const stream of streams) {
      await stream.until(isOpen);
      stream.stop();
      await stream.ended;
    }
    await sql`alter table endpoint add constraint stays
      check (tenant_id <> ${sql.lit(tenant.testId)} or deleted_at is null)`.execute(ownerDb);
    clock.advance(25 * HOUR);
    expect([await expireListeners(app), await expireListeners(app)]).toEqual([1, 0]);
  });
});
