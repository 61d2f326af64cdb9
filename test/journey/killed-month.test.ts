import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { type Clients, createClients } from "../support/clients.ts";
import { doctorOf, WITHOUT_RERATING } from "../support/doctor.ts";
import { type Fleet, type FleetRole, startFleet } from "../support/fleet.ts";
import { type Harness, setup } from "../support/harness.ts";
import {
  type MonthSize,
  monthCatalog,
  monthUsage,
  outcomeOf,
  recountOf,
  setClock,
  type UsageBatch,
} from "../support/month.ts";
import { seeded } from "../support/seeded.ts";

// The same month twice: by one process that nothing happens to, and by two APIs and two workers that are killed again and
// again, with clients that send what was not answered again. Long form, each round with the next seed:
//
//   USAGEFLOW_TEST_ROUNDS=50 USAGEFLOW_TEST_SEED=1 npx vitest run test/journey/killed-month.test.ts

const ROUNDS = Number(process.env.USAGEFLOW_TEST_ROUNDS ?? 1);
const SEED = Number(process.env.USAGEFLOW_TEST_SEED ?? 1);
const EACH = 2; // APIs, and workers
const CLIENTS = 6;
const KILLS = { calls: 4, pass: 2 };
const SEATS = 20;
const PAID = 20;
// More customers than a pass closes or finalizes at once, so that there is an end of a pass in the middle.
const SIZE: MonthSize = { customers: 620, batchSize: 40, batches: 75, lateBatches: 15 };

/** How a run does its calls and its work. */
interface Run {
  harness: Harness;
  /** Makes a call of a client until it is answered. */
  call: (work: (clients: Clients, headers: Record<string, string>) => Promise<unknown>) => Promise<void>;
  /** How many of these calls are made at a time. */
  clients: number;
  /** Does all that is due, and comes back when nothing is. */
  settle: () => Promise<void>;
}

/** The month as it happens, whoever does it. */
async function live({ harness, call, clients, settle }: Run) {
  const { inTime, late } = monthUsage(SIZE);
  const track = (batch: UsageBatch) => () => call(({ usage }) => usage.trackUsage({ events: batch }));
  await harness.clients.pricing.pushCatalog({ catalog: monthCatalog });
  await harness.clients.webhook.createEndpoint({ url: "https://receiver.invalid/", eventTypes: ["invoice.paid"] });
  await setClock(harness, "2015-05-31T23:59:00Z");
  const june = timestampFromDate(new Date("2015-06-01T00:00:00Z"));
  const seats = Array.from({ length: SEATS }, (_, i) => `seat-${i}`);
  await inParallel(clients, [
    ...inTime.map(track),
    ...seats.map(
      (customerId) => () =>
        call(({ pricing }, headers) =>
          pricing.startSubscription({ customerId, plan: "seat", startAt: june }, { headers }),
        ),
    ),
  ]);
  await settle(); // usage that is still on its way when its period closes is late, and which that is would be luck
  await setClock(harness, "2015-06-01T00:30:00Z");
  await Promise.all([settle(), inParallel(clients, late.map(track))]);
  await settle();
  await setClock(harness, "2015-06-01T01:00:00Z");
  await settle();
  const numbers = Array.from({ length: PAID }, (_, i) => `INV-${String(i * 30 + 1).padStart(6, "0")}`);
  const paid = numbers.map(
    (id) => () => call(({ invoice }, headers) => invoice.markInvoicePaid({ id, reference: id }, { headers })),
  );
  await inParallel(clients, paid);
  await settle();
  return outcomeOf(harness);
}

/** Does the works in their order, so many at a time. */
async function inParallel(count: number, works: readonly (() => Promise<void>)[]): Promise<void> {
  const rest = works.values();
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (const work of rest) await work();
    }),
  );
}

async function alone() {
  const harness = await setup();
  return live({
    harness,
    clients: 1,
    settle: harness.drain,
    call: async (work) => void (await work(harness.clients, {})),
  });
}

async function killed(seed: number) {
  const harness = await setup();
  const fleet = await startFleet(harness, EACH);
  const below = seeded(seed);
  const kills: Promise<void>[] = [];
  const kill = (role: FleetRole) => kills.push(fleet.kill(role, below(EACH)));
  const moments = Array.from({ length: KILLS.calls }, () => below(SIZE.batches + SEATS + SIZE.lateBatches + PAID));
  let calls = 0;
  const call: Run["call"] = async (work) => {
    const key = `call-${calls++}`;
    if (moments.includes(calls)) kill(below(2) === 0 ? "api" : "worker");
    await untilAnswered(harness, fleet, below(EACH), (clients) => work(clients, { "idempotency-key": key }));
  };
  const settle = async () => {
    const moments = Array.from({ length: KILLS.pass }, () => 1 + below(30));
    for (let seen = 0, at = await look(harness); at.waiting > 0n; at = await look(harness)) {
      if (at.working > 0n && moments.includes(++seen)) kill("worker");
    }
  };
  const outcome = await live({ harness, clients: CLIENTS, settle, call });
  await Promise.all(kills);
  return { harness, outcome };
}

/** Calls one API after the other with the same request. Only what may have been the kill's doing is tried again. */
async function untilAnswered(
  { tenant }: Harness,
  fleet: Fleet,
  from: number,
  work: (clients: Clients) => Promise<unknown>,
) {
  for (let place = from; ; place++) {
    try {
      await work(createClients(fleet.url(place), tenant.testKey));
      return;
    } catch (error) {
      const { code, cause } = ConnectError.from(error);
      // A request whose connection goes while it is being written is called internal by the client.
      const cut = cause instanceof Error && "syscall" in cause;
      if (!cut && ![Code.Unavailable, Code.Aborted, Code.Unknown].includes(code)) throw error;
    }
  }
}

/** What waits to be done at the tenant's time, and how many transactions of workers are open. */
async function look({ ownerDb, tenant }: Harness) {
  const { rows } = await sql<{ waiting: bigint; working: bigint }>`
    select (select count(*) from usage_batch) + (select count(*) from outbox_pending)
      + (select count(*) from tenant_due join tenant using (tenant_id)
          where tenant_id = ${tenant.testId} and due_at <= clock_frozen_at) as waiting,
      (select count(*) from pg_stat_activity where datname = current_database() and usename = 'usageflow_worker'
        and backend_xid is not null) as working`.execute(ownerDb);
  return rows[0] as (typeof rows)[number];
}

test(
  "two APIs and two workers that are killed again and again make the invoices that one process makes",
  async () => {
    const expected = await alone();
    expect(expected.invoices.length).toBeGreaterThan(600);
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      const { harness, outcome } = await killed(seed);
      const what = (facts: object) => ({ seed, ...facts });
      expect(what(outcome)).toEqual(what(expected));
      expect(what(await recountOf(harness))).toEqual(what({ buckets: outcome.buckets, values: outcome.values }));
      const numbers = outcome.invoices.map((invoice) => Number(invoice.number.slice("INV-".length)));
      expect(what({ numbers })).toEqual(what({ numbers: numbers.map((_, i) => i + 1) }));
      for (let i = 0; i < numbers.length; i += 40) {
        const { matches } = await harness.clients.invoice.verifyInvoice({ id: outcome.invoices[i]?.number ?? "" });
        expect(what({ i, matches })).toEqual(what({ i, matches: true }));
      }
      expect(what({ found: await doctorOf(harness, WITHOUT_RERATING) })).toEqual(what({ found: [] }));
    }
  },
  300_000 * ROUNDS,
);
