import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { InvoiceLineSchema, InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { appendEvents, type NewEvent } from "../../server/outbox/append-event.ts";
import {
  type DispatchedEvent,
  dispatchEvents,
  dispatchEventsOf,
  type EventConsumer,
} from "../../server/outbox/dispatch-events.ts";
import { type Harness, setup } from "../support/harness.ts";
import { watchStatements } from "../support/statements.ts";
import { stageEvents, times } from "../webhook/stage-events.ts";

const keep = (events: DispatchedEvent[]): EventConsumer => ({
  async consume(_tx, _tenantId, batch) {
    events.push(...batch);
  },
});

async function waiting({ ownerDb }: Harness, tenantId: string): Promise<number> {
  const rows = await ownerDb
    .selectFrom("outbox_pending")
    .select("event_id")
    .where("tenant_id", "=", tenantId)
    .execute();
  return rows.length;
}

describe("appendEvents", () => {
  test("stages nothing when the change is undone", async () => {
    const harness = await setup();
    const { app, tenant } = harness;
    const undone = inTenant(app.db, tenant.testId, async (tx) => {
      await appendEvents(tx, tenant.testId, [{ type: "invoice.created", occurredAt: new Date(), facts: {} as never }]);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(await waiting(harness, tenant.testId)).toBe(0);
  });

  test("stores events of much text by several statements, all of them in their order", async () => {
    const { app, tenant, ownerDb } = await setup();
    const ids = Array.from({ length: 12 }, (_, i) => `customer-${i}`);
    const long = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key${i}`, "x".repeat(1_000)]));
    const occurredAt = new Date("2015-05-21T00:00:00Z");
    const events = ids.map((customerId): NewEvent => {
      const line = create(InvoiceLineSchema, { dimensions: long });
      return {
        type: "invoice.created",
        occurredAt,
        facts: { invoice: create(InvoiceSchema, { customerId, lines: [line] }) },
      };
    });
    const sent = watchStatements(app.pool);
    await inTenant(app.db, tenant.testId, (tx) => appendEvents(tx, tenant.testId, events));
    expect(sent.filter((text) => text.includes("insert into outbox_event")).length).toBeGreaterThan(1);
    const stored = await ownerDb.selectFrom("outbox_event").select("customer_id").orderBy("id").execute();
    expect(stored.map((row) => row.customer_id)).toEqual(ids);
  });
});

describe("dispatchEvents", () => {
  test("hands each event over once, in order, and takes it out of the outbox", async () => {
    const harness = await setup();
    const { app, tenant } = harness;
    await stageEvents(app, tenant.testId, ["invoice.created", "invoice.finalized", "invoice.created"]);
    const told: DispatchedEvent[] = [];
    expect(await dispatchEvents(app, [keep(told)])).toBe(3);
    expect(told.map((event) => event.type)).toEqual(["invoice.created", "invoice.finalized", "invoice.created"]);
    expect(told).toEqual(told.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    expect(await dispatchEvents(app, [keep(told)])).toBe(0);
    expect(await waiting(harness, tenant.testId)).toBe(0);
  });

  test("gives every tenant one batch in a round, however much another has: a short one while there are others", async () => {
    const harness = await setup();
    const { app, clock, tenant } = harness;
    await stageEvents(app, tenant.testId, times(700));
    expect(await dispatchEvents(app, [])).toBe(200);
    expect(await dispatchEvents(app, [])).toBe(200);
    await stageEvents(app, tenant.liveId, times(1));
    await dispatchEvents(app, []);
    expect(await waiting(harness, tenant.liveId)).toBe(0);
    expect(await dispatchEvents(app, [])).toBe(25);
    clock.advance(1_000);
    const left = await waiting(harness, tenant.testId);
    expect(await dispatchEvents(app, [])).toBe(Math.min(200, left));
    expect(await dispatchEvents(app, [])).toBe(Math.max(0, left - 200));
  });

  test("leaves a tenant's events where they are when a consumer fails, and goes on with the others", async () => {
    const harness = await setup();
    const { app, tenant } = harness;
    await stageEvents(app, tenant.testId, times(2));
    await stageEvents(app, tenant.liveId, times(2));
    const told: DispatchedEvent[] = [];
    const failing: EventConsumer = {
      async consume(_tx, tenantId) {
        if (tenantId === tenant.testId) throw new Error("not today");
      },
    };
    expect(await dispatchEvents(app, [keep(told), failing])).toBe(2);
    expect(await waiting(harness, tenant.testId)).toBe(2);
    expect(await waiting(harness, tenant.liveId)).toBe(0);
    expect(await dispatchEvents(app, [])).toBe(2);
  });

  test("hands no event to two dispatchers that run at the same time", async () => {
    const { app, addApp, tenant } = await setup();
    await stageEvents(app, tenant.testId, times(900));
    const other = await addApp();
    const told: DispatchedEvent[] = [];
    const run = async (one: typeof app) => {
      while ((await dispatchEventsOf(one, tenant.testId, [keep(told)])) > 0);
    };
    await Promise.all([run(app), run(other), run(app), run(other)]);
    await run(app); // what another had locked when the last batch was looked for
    expect(told).toHaveLength(900);
    expect(new Set(told.map((event) => event.id)).size).toBe(900);
  });
});

describe("dispatchEventsOf", () => {
  test("leaves other tenants alone", async () => {
    const harness = await setup();
    const { app, tenant } = harness;
    await stageEvents(app, tenant.testId, times(2));
    await stageEvents(app, tenant.liveId, times(3));
    expect(await dispatchEventsOf(app, tenant.testId, [])).toBe(2);
    expect(await dispatchEventsOf(app, tenant.testId, [])).toBe(0);
    expect(await waiting(harness, tenant.liveId)).toBe(3);
  });
});
