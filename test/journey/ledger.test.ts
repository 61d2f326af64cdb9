import { expect, test } from "vitest";
import type { Clients } from "../support/clients.ts";
import { type Fate, POINTS } from "../support/fate.ts";
import { startFatedWorkers } from "../support/fated-workers.ts";
import { setup } from "../support/harness.ts";
import { balance, movedByZombie, readBooks } from "../support/ledger-books.ts";
import {
  endBackends,
  holdSnapshot,
  killAnywhere,
  makeZombie,
  type Round,
  restart,
  startLoad,
  untilSettled,
} from "../support/ledger-faults.ts";
import { type Post, startLedgerReceiver } from "../support/ledger-receiver.ts";
import { startOwnPostgres } from "../support/own-postgres.ts";
import { seeded } from "../support/seeded.ts";

// While clients make events and a receiver answers as it likes, workers are killed at each point that matters, connections
// are cut, PostgreSQL is restarted, a snapshot is held, and a worker sleeps through its lease. In the end nothing is
// missing: each event has reached each endpoint that asked for it, or has visibly failed. Long form, one seed per round:
//
//   USAGEFLOW_TEST_ROUNDS=50 USAGEFLOW_TEST_SEED=1 npx vitest run test/journey/ledger.test.ts

const ROUNDS = Number(process.env.USAGEFLOW_TEST_ROUNDS ?? 1);
const SEED = Number(process.env.USAGEFLOW_TEST_SEED ?? 1);
const PLACES = 3; // workers at a time
const env = {
  USAGEFLOW_POLL_MS: "100",
  USAGEFLOW_DELIVERY_ALLOWED_CIDRS: "127.0.0.0/8,::1/128",
  USAGEFLOW_DELIVERY_TIMEOUT_MS: "1500",
  USAGEFLOW_DELIVERY_LEASE_MS: "2000",
  USAGEFLOW_RETRY_SCHEDULE_SECONDS: "0,0,1,1",
  USAGEFLOW_BREAKER_FAILURES: "0",
};
const ATTEMPTS_MAX = 5;

const seeds = Array.from({ length: ROUNDS }, (_, index) => SEED + index);

test.each(seeds)(
  "whatever dies or is cut, every event is delivered to every endpoint, or has visibly failed (seed %i)",
  async (seed) => {
    const summary = await round(seed);
    if (ROUNDS > 1) console.log(JSON.stringify(summary));
  },
  300_000,
);

async function round(seed: number) {
  const below = seeded(seed);
  const postgres = await startOwnPostgres();
  const harness = await setup({
    adminUrl: postgres.adminUrl,
    config: { deliveryAllowedCidrs: ["127.0.0.0/8", "::1/128"] },
  });
  const receiver = await startLedgerReceiver(below);
  const other = await harness.addOrganization("Other");
  const tenants = [harness.clients, harness.clientsFor(other.testKey)];
  const [acme, less] = tenants as [Clients, Clients];
  // That with a cap is claimed from in a transaction, the others in one statement for all.
  await acme.webhook.createEndpoint({ url: receiver.url("all"), eventTypes: ["*"], maxInFlight: 8 });
  await acme.webhook.createEndpoint({ url: receiver.url("customers"), eventTypes: ["customer.*"] });
  await acme.webhook.createEndpoint({ url: receiver.url("invoices"), eventTypes: ["invoice.paid"] });
  await less.webhook.createEndpoint({ url: receiver.url("dead"), eventTypes: ["customer.created"] });
  await less.webhook.createEndpoint({ url: receiver.url("other") });
  const fates: Fate[] = shuffled(POINTS, below).map((point) => ({ point, times: 1 + below(3) }));
  const workers = startFatedWorkers(harness, { places: PLACES, fates, env });
  const all: Round = { harness, postgres, receiver, workers, tenants, below };

  await holdSnapshot(harness.database.ownerUrl);
  const load = startLoad(all);
  const zombies: Post[] = [];
  const faults: Record<string, () => Promise<number>> = {
    "restarted, fast": () => restart(all, "fast"),
    "restarted, immediate": () => restart(all, "immediate"),
    "backends ended": () => endBackends(all),
    "killed anywhere": () => killAnywhere(all),
    "settled too late": async () => {
      zombies.push(...(await makeZombie(all)));
      return zombies.length;
    },
  };
  const done: Record<string, number> = {};
  for (const name of shuffled(Object.keys(faults), below)) done[name] = (await faults[name]?.()) ?? 0;
  await workers.allFated();
  const { made, callsRefused } = await load.end();
  await untilSettled(harness);
  await workers.stop();

  const books = await readBooks(harness.ownerDb);
  const { wrong, account } = balance(books, receiver.posts, workers.lives, ATTEMPTS_MAX);
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
  expect({ seed, moved: movedByZombie(books, receiver.posts, zombies) }).toEqual({ seed, moved: [] });
  const created = books.events.filter(({ type }) => type === "customer.created").map(({ customerId }) => customerId);
  expect({ seed, created: created.sort() }).toEqual({ seed, created: made.sort() });
  const kills = workers.lives.filter(({ end }) => end === "fated" || end === "killed");
  const points = kills.map(({ end, fate }) => (end === "fated" ? (fate?.point ?? "") : "anywhere"));
  return { seed, kills: tally(points), ...done, callsRefused, ...account, lost: 0 };
}

function shuffled<T>(things: readonly T[], below: (limit: number) => number): T[] {
  const rest = [...things];
  return things.flatMap(() => rest.splice(below(rest.length), 1));
}

function tally(things: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(things, (thing) => thing)].map(([thing, all]) => [thing, all.length]));
}
