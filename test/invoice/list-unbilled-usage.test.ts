import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import {
  type UnbilledReason,
  UnbilledReasonSchema,
  type UnbilledUsage,
  UsageState,
} from "../../gen/usageflow/v1/usage_pb.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { watchStatements } from "../support/statements.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour. The plan has a price for all metrics but
// FREE.

const at = (time: string) => timestampFromDate(new Date(time));

type Filter = Parameters<Clients["usage"]["listUnbilledUsage"]>[0];

/** All pages, with the number of rows of each. */
async function unbilled(clients: Clients, filter: Filter = {}): Promise<{ rows: UnbilledUsage[]; sizes: number[] }> {
  const rows: UnbilledUsage[] = [];
  const sizes: number[] = [];
  let pageToken = "";
  do {
    const page = await clients.usage.listUnbilledUsage({ ...filter, pageToken });
    rows.push(...page.unbilledUsage);
    sizes.push(page.unbilledUsage.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return { rows, sizes };
}

const nameOf = (reason: UnbilledReason) => UnbilledReasonSchema.value[reason]?.localName;
const plainRow = ({ customerId, metric, month, reason, quantity, eventCount }: UnbilledUsage) =>
  [customerId, metric, Number(month?.seconds), nameOf(reason), quantity, Number(eventCount)].join(" ");

interface Sent {
  key: string;
  metric: string;
  customerId: string;
  hour: number;
  amount: number;
  user: string;
}

const APRIL = Date.UTC(2015, 3, 20);
const timeOf = (event: Sent) => new Date(APRIL + event.hour * 3_600_000);

function recount(metric: string, events: readonly Sent[]): string {
  const amounts = events.map((event) => event.amount / 4);
  const quantity = {
    COUNT: events.length,
    MAX: Math.max(...amounts),
    UNIQUE: new Set(events.map((event) => event.user)).size,
  }[metric];
  return String(quantity ?? amounts.reduce((sum, amount) => sum + amount, 0));
}

describe("listUnbilledUsage", () => {
  test("is a recount of the events that are explained as unbilled, whenever they came", async () => {
    const { clients, drain, advanceTo } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const subscribe = (customerId: string, time: string, trialEnd = time) =>
      clients.pricing.startSubscription({ customerId, plan: "pro", startAt: at(time), trialEndsAt: at(trialEnd) });
    await subscribe("ann", "2015-05-10T06:00:00Z");
    await subscribe("bob", "2015-06-01T00:00:00Z");
    await subscribe("dan", "2015-05-03T00:00:00Z", "2015-05-12T17:00:00Z");

    const sent = fc.record({
      metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE", "FREE"),
      customerId: fc.constantFrom("ann", "bob", "cat", "dan"),
      hour: fc.integer({ min: 0, max: 31 * 24 * 4 - 1 }).map((quarter) => quarter / 4),
      amount: fc.nat({ max: 1_000 }),
      user: fc.constantFrom("x", "y", "z"),
    });
    const samples = fc.sample(sent, { numRuns: 240, seed: 3 });
    const events = samples.map((event, i): Sent => ({ ...event, key: `key ${i}` }));
    const track = async (some: readonly Sent[]) => {
      await clients.usage.trackUsage({
        events: some.map((event) => ({
          metric: event.metric,
          customerId: event.customerId,
          amount: String(event.amount / 4),
          occurredAt: timestampFromDate(timeOf(event)),
          idempotencyKey: event.key,
          properties: { user: event.user },
        })),
        backfill: true,
      });
      await drain();
    };
    const check = async (stored: readonly Sent[]) => {
      const found = await Promise.all(
        stored.map(async (event) => ({
          event,
          told: await clients.usage.explainUsageEvent({ idempotencyKey: event.key }),
        })),
      );
      const groups = Map.groupBy(
        found.filter(({ told }) => told.state === UsageState.UNBILLED),
        ({ event, told }) => {
          const month = timeOf(event).getUTCMonth();
          const start = Date.UTC(2015, month) / 1_000;
          return [event.customerId, event.metric, start, nameOf(told.unbilledReason)].join(" ");
        },
      );
      const expected = [...groups].map(([group, its]) => {
        const [, metric = ""] = group.split(" ");
        return `${group} ${recount(
          metric,
          its.map(({ event }) => event),
        )} ${its.length}`;
      });
      const { rows } = await unbilled(clients);
      expect(rows.map(plainRow).sort()).toEqual(expected.sort());
      return new Set(rows.map((row) => nameOf(row.reason)));
    };

    await track(events.slice(0, 160));
    expect(await check(events.slice(0, 160))).toEqual(new Set(["NO_SUBSCRIPTION", "TRIAL", "NO_PRICE"]));
    await advanceTo("2015-06-03T00:00:00Z"); // May is final
    await check(events.slice(0, 160));
    await track(events.slice(160));
    expect(await check(events)).toEqual(new Set(["NO_SUBSCRIPTION", "TRIAL", "NO_PRICE"]));
    for (const { id, number } of (await clients.invoice.listInvoices({})).invoices) {
      if (number !== "") await clients.invoice.voidInvoice({ id, reason: "a mistake" });
    }
    expect(await check(events)).toEqual(new Set(["NO_SUBSCRIPTION", "TRIAL", "NO_PRICE", "LATE"]));
  });

  test("is of a customer, of a time, and by pages of customers, of which some are empty", async () => {
    const { clients, clientsFor, addOrganization, drain } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    await clients.pricing.startSubscription({ customerId: "bob", plan: "pro" });
    const send = (customerId: string, time: string) => ({
      metric: "SUM",
      customerId,
      amount: "1",
      occurredAt: at(time),
    });
    const times = ["2015-04-30T23:59:59Z", "2015-05-01T00:00:00Z", "2015-05-20T10:30:00Z"];
    await clients.usage.trackUsage({ events: times.map((time) => send("ann", time)) });
    await clients.usage.trackUsage({
      events: [send("bob", "2015-05-20T00:00:00Z"), send("cat", "2015-05-20T00:00:00Z")],
    });
    await drain();
    const [april, may] = [3, 4].map((month) => Date.UTC(2015, month) / 1_000);
    const all = [
      `ann SUM ${april} NO_SUBSCRIPTION 1 1`,
      `ann SUM ${may} NO_SUBSCRIPTION 2 2`,
      `cat SUM ${may} NO_SUBSCRIPTION 1 1`,
    ];
    const { rows, sizes } = await unbilled(clients, { pageSize: 1 });
    expect([rows.map(plainRow), sizes]).toEqual([all, [2, 0, 1]]);
    const of = async (filter: Filter) => (await unbilled(clients, filter)).rows.map(plainRow);
    expect(await of({})).toEqual(all);
    expect(await of({ customerId: "cat" })).toEqual(all.slice(2));
    expect(await of({ customerId: "nobody" })).toEqual([]);
    expect(await of({ start: at("2015-05-01T00:00:00Z"), end: at("2015-05-20T10:00:00Z") })).toEqual([
      `ann SUM ${may} NO_SUBSCRIPTION 1 1`,
      `cat SUM ${may} NO_SUBSCRIPTION 1 1`,
    ]);

    await clients.usage.trackUsage({ events: [send("ann", "2015-05-20T10:31:00Z")] });
    const { unbilledUsage, progress } = await clients.usage.listUnbilledUsage({});
    expect([unbilledUsage.map(plainRow), progress?.pendingBatches]).toEqual([all, 1n]);

    const stranger = clientsFor((await addOrganization("Other")).testKey);
    expect((await unbilled(stranger)).rows).toEqual([]);
    expect((await unbilled(stranger, { customerId: "ann" })).rows).toEqual([]);
  });

  test("looks at some customers of a page at a time, since what bills one is looked through for all of them", async () => {
    const { app, clients, drain } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const customers = Array.from({ length: 250 }, (_, i) => `c${String(i).padStart(3, "0")}`);
    const occurredAt = at("2015-05-20T00:00:00Z");
    const events = customers.map((customerId) => ({ metric: "SUM", customerId, amount: "1", occurredAt }));
    await clients.usage.trackUsage({ events });
    await drain();
    const sent = watchStatements(app.pool);
    const { rows } = await unbilled(clients, { pageSize: 1_000 });
    expect(rows.map((row) => row.customerId)).toEqual(customers);
    expect(sent.filter((text) => text.includes("with cover as"))).toHaveLength(2);
  });

  test("refuses times that cut a millisecond or run backwards", async () => {
    const { clients } = await setup();
    const ask = (filter: Filter) => refused(clients.usage.listUnbilledUsage(filter));
    const { INVALID_FIELD } = ErrorReason;
    const finer = { seconds: 1_430_000_000n, nanos: 999_999_999 };
    expect(await ask({ start: finer })).toMatchObject({ reason: INVALID_FIELD, field: "start" });
    expect(await ask({ end: finer })).toMatchObject({ reason: INVALID_FIELD, field: "end" });
    const backwards = { start: at("2015-05-02T00:00:00Z"), end: at("2015-05-01T00:00:00Z") };
    expect(await ask(backwards)).toMatchObject({ reason: INVALID_FIELD, field: "end" });
  });
});
