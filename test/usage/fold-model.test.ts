import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { foldUsage } from "../../server/usage/fold-usage.ts";
import { type Harness, setup } from "../support/harness.ts";
import { dyingApp } from "../support/killed-statement.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

// Usage comes in any order, some of it again, and aggregators fold it or die at any of their statements. The model is as
// simple as can be: what was accepted, each once. At the end the buckets are what it comes to.

const HOURS = 3;
const START = Date.parse("2015-05-20T00:00:00Z");

interface Event {
  key: string;
  metric: string;
  customerId: string;
  amount: number;
  hour: number;
  user: string;
}

/** What is to be seen of the system: each event that was accepted, by its key. */
type Model = Map<string, Event>;

interface Real {
  harness: Harness;
  /** Makes keys that no other run has. */
  run: number;
}

class Report implements fc.AsyncCommand<Model, Real> {
  readonly events: readonly Event[];
  constructor(events: readonly Event[]) {
    this.events = events;
  }
  check = () => true;
  toString = () => `report ${JSON.stringify(this.events)}`;
  async run(model: Model, { harness, run }: Real) {
    const { results } = await harness.clients.usage.trackUsage({
      events: this.events.map(({ key, metric, customerId, amount, hour, user }) => ({
        ...{ metric, customerId: `${run}-${customerId}`, amount: String(amount), properties: { user } },
        idempotencyKey: `${run}-${key}`,
        occurredAt: timestampFromDate(new Date(START + hour * 3_600_000)),
      })),
    });
    for (const [i, { outcome }] of results.entries()) {
      const event = this.events[i] as Event;
      const known = model.get(event.key);
      const same = known && JSON.stringify(known) === JSON.stringify(event);
      const expected = !known ? UsageOutcome.ACCEPTED : same ? UsageOutcome.DUPLICATE : UsageOutcome.CONFLICT;
      expect(outcome).toBe(expected);
      if (!known) model.set(event.key, event);
    }
  }
}

class Fold implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  toString = () => "fold";
  async run(_: Model, { harness: { app, tenant } }: Real) {
    await foldUsage(app, tenant.testId);
  }
}

class DieInFold implements fc.AsyncCommand<Model, Real> {
  readonly statements: number;
  constructor(statements: number) {
    this.statements = statements;
  }
  check = () => true;
  toString = () => `die after ${this.statements} statements of a fold`;
  async run(_: Model, { harness: { app, ownerDb, tenant } }: Real) {
    const dying = dyingApp(app, ownerDb, this.statements);
    await foldUsage(dying, tenant.testId).catch((error) => expect(String(error)).toMatch(/terminat|connection/i));
  }
}

/** The buckets of a run, as they are. */
async function folded({ harness, run }: Real) {
  const { rows } = await sql<{ bucket: string; count: number; sum: string; max: string; users: number }>`
    select concat_ws(' ', customer_id, metric, extract(hour from hour at time zone 'UTC')) as bucket,
      event_count::integer as count, trim_scale(amount_sum) as sum, trim_scale(amount_max) as max,
      (select count(*)::integer from usage_value v where (v.tenant_id, v.customer_id, v.metric, v.hour)
        = (b.tenant_id, b.customer_id, b.metric, b.hour)) as users
    from usage_bucket b where customer_id like ${`${run}-%`}`.execute(harness.ownerDb);
  return new Map(rows.map(({ bucket, ...facts }) => [bucket, facts]));
}

/** The buckets that the accepted events come to. */
function counted(model: Model, run: number) {
  const groups = Map.groupBy(model.values(), (event) => `${run}-${event.customerId} ${event.metric} ${event.hour}`);
  const buckets = [...groups].map(([bucket, events]) => {
    const amounts = events.map((event) => event.amount);
    const users = events[0]?.metric === "UNIQUE" ? new Set(events.map((event) => event.user)).size : 0;
    const sum = amounts.reduce((sum, amount) => sum + amount, 0);
    return [bucket, { count: events.length, sum: `${sum}`, max: `${Math.max(...amounts)}`, users }] as const;
  });
  return new Map(buckets);
}

const event = fc.record({
  key: fc.nat({ max: 30 }).map(String),
  metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE"),
  customerId: fc.constantFrom("ann", "bob"),
  amount: fc.nat({ max: 3 }),
  hour: fc.nat({ max: HOURS - 1 }),
  user: fc.constantFrom("u1", "u2"),
});
// The same few events, so that many are sent again: alike, and under the key of another.
const pool = fc.array(event, { minLength: 5, maxLength: 30 });

test("buckets are what was accepted comes to, in any order, with duplicates, and whenever an aggregator dies", async () => {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog: usageCatalog });
  let runs = 0;
  const commands = pool.chain((events) =>
    fc.commands(
      [
        fc
          .array(fc.constantFrom(...events), { minLength: 1, maxLength: 8 })
          .map((list) => new Report([...new Map(list.map((event) => [event.key, event])).values()])),
        fc.constant(new Fold()),
        fc.integer({ min: 1, max: 10 }).map((statements) => new DieInFold(statements)),
      ],
      { maxCommands: 15 },
    ),
  );
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const real = { harness, run: runs++ };
      const model: Model = new Map();
      await fc.asyncModelRun(() => ({ model, real }), list);
      await foldUsage(harness.app, harness.tenant.testId);
      expect(await folded(real)).toEqual(counted(model, real.run));
    }),
    { numRuns: 25 },
  );
});
