import { setTimeout as pause } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import pg from "pg";
import { expect, onTestFinished } from "vitest";
import type { Clients } from "./clients.ts";
import type { FatedWorkers, WorkerLife } from "./fated-workers.ts";
import type { Harness } from "./harness.ts";
import type { LedgerReceiver, Post } from "./ledger-receiver.ts";
import type { OwnPostgres } from "./own-postgres.ts";

const CLIENTS = 2; // of each tenant
const CALL_EVERY_MS = 50;
const BACKENDS = 6;
const LOOK_EVERY_MS = 50;
const HELD_POSTS = 3;
const FRESH_MS = 700;

/** Who takes part in a round of the ledger. */
export interface Round {
  harness: Harness;
  postgres: OwnPostgres;
  receiver: LedgerReceiver;
  workers: FatedWorkers;
  tenants: readonly Clients[];
  below: (limit: number) => number;
}

/**
 * Makes customers, each with its event, until `end`: that answers whom the server has acknowledged. A call that is refused
 * for what a fault may do, and for nothing else, is made again under its key.
 */
export function startLoad({ tenants }: Round) {
  const made: string[] = [];
  let refused = 0;
  let over = false;
  const client = async (clients: Clients, name: string) => {
    for (let count = 0; !over; count++) {
      const id = `${name}-${count}`;
      while (!(await answered(clients, id))) refused++;
      made.push(id);
      await pause(CALL_EVERY_MS);
    }
  };
  const running = Promise.all(
    tenants.flatMap((clients, tenant) =>
      Array.from({ length: CLIENTS }, (_, index) => client(clients, `cus-${tenant}-${index}`)),
    ),
  );
  running.catch(() => {}); // it is heard of at the end
  return {
    async end() {
      over = true;
      await running;
      return { made, callsRefused: refused };
    },
  };
}

async function answered({ tenant }: Clients, id: string): Promise<boolean> {
  try {
    await tenant.putCustomer({ customer: { id } }, { headers: { "idempotency-key": id } });
    return true;
  } catch (error) {
    const { code } = ConnectError.from(error);
    if (code !== Code.Unavailable && code !== Code.ResourceExhausted) throw error;
    return false;
  }
}

/** Keeps a snapshot open for as long as the test runs, anew after each restart: nothing that is dead can be cleared away. */
export async function holdSnapshot(ownerUrl: string): Promise<void> {
  let over = false;
  let client = await openSnapshot(ownerUrl);
  const keep = async () => {
    while (!over) {
      await new Promise((resolve) => client.once("end", resolve));
      for (let opened: pg.Client | undefined; !over && !opened; await pause(LOOK_EVERY_MS)) {
        opened = await openSnapshot(ownerUrl).catch(() => undefined);
        client = opened ?? client;
      }
    }
  };
  const keeping = keep();
  onTestFinished(async () => {
    over = true;
    await client.end();
    await keeping;
  });
}

async function openSnapshot(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on("error", () => {});
  await client.connect();
  await client.query("begin isolation level repeatable read");
  await client.query("select count(*) from delivery");
  return client;
}

/** Restarts PostgreSQL. While it is away, calls are refused as what may be made again. */
export async function restart({ postgres, harness }: Round, how: "fast" | "immediate"): Promise<number> {
  await postgres.restart(how, async () => {
    const refused = await harness.clients.tenant.listCustomers({}).catch((error) => ConnectError.from(error));
    expect(refused).toMatchObject({ code: Code.Unavailable });
  });
  return 1;
}

/** Ends random connections of the server, one after the other. */
export async function endBackends({ harness, below }: Round): Promise<number> {
  let ended = 0;
  while (ended < BACKENDS) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity
      where datname = current_database() and usename in ('usageflow_app', 'usageflow_worker')`.execute(harness.ownerDb);
    const one = rows[below(Math.max(1, rows.length))];
    if (one) await sql`select pg_terminate_backend(${one.pid})`.execute(harness.ownerDb);
    if (one) ended++;
    await pause(LOOK_EVERY_MS);
  }
  return ended;
}

/** SIGKILLs a worker wherever it is, though not that of the first place. */
export async function killAnywhere({ workers, below }: Round): Promise<number> {
  const place = 1 + below(2);
  while (!workers.at(place)) await pause(LOOK_EVERY_MS);
  workers.kill(place);
  return 1;
}

/**
 * Stops a worker while it waits for answers, lets its leases run out and others send again what it had sent, and wakes it
 * while they wait in their turn: it finds its answers and settles them. Answers what it had sent.
 */
export async function makeZombie({ workers, receiver }: Round): Promise<readonly Post[]> {
  let life: WorkerLife | undefined;
  for (life = workers.at(0); !life; life = workers.at(0)) await pause(LOOK_EVERY_MS);
  const { pid, logged } = life;
  const hold = receiver.hold(pid);
  const fresh = () => hold.posts.filter(({ at }) => at > Date.now() - FRESH_MS); // no attempt of these is over
  while (fresh().length < HELD_POSTS) await pause(1);
  process.kill(pid, "SIGSTOP");
  const held = fresh();
  hold.answer();
  const sentAgain = ({ path, id, at }: Post) =>
    receiver.posts.some((post) => post.path === path && post.id === id && post.worker !== pid && post.at > at);
  while (!held.every(sentAgain)) await pause(LOOK_EVERY_MS);
  const seen = logged.length;
  process.kill(pid, "SIGCONT");
  const settled = ({ id }: Post) => logged.slice(seen).some(({ eventId }) => eventId === id);
  while (!held.every(settled)) await pause(LOOK_EVERY_MS);
  hold.end();
  return held;
}

/** Returns when nothing waits any more, however long retries take. */
export async function untilSettled({ ownerDb }: Harness): Promise<void> {
  for (let waiting = 1n; waiting > 0n; ) {
    await pause(LOOK_EVERY_MS);
    const { rows } = await sql<{ waiting: bigint }>`
      select (select count(*) from outbox_pending) + (select count(*) from delivery_due) as waiting
      `.execute(ownerDb);
    waiting = rows[0]?.waiting ?? 0n;
  }
}
