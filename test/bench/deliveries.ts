import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { appUrls, setLoginPasswords } from "../../server/db/login.ts";
import { migrate } from "../../server/db/migrate.ts";
import type { DeliveriesDone, DeliveriesTask } from "./deliveries-part.ts";

// Sending what waits, signed and logged, against a bare undici loop that POSTs the same bytes to the same receiver with as
// many requests in flight. Sender, receiver and database share the machine, and the floor has no database: it is strict.

const DATABASE = "bench_deliveries";
// Partitions count to their table.
const TRACES = `
  select coalesce(pg_partition_root(relid), relid)::regclass::text as table, sum(n_live_tup)::integer as rows,
    sum(n_dead_tup)::integer as "deadRows", sum(n_tup_upd)::integer as updates,
    coalesce(sum(n_tup_hot_upd)::float / nullif(sum(n_tup_upd), 0), 1) as "hotShare",
    sum(pg_total_relation_size(relid))::float / 1048576 as megabytes
  from pg_stat_user_tables
  where coalesce(pg_partition_root(relid), relid)::regclass::text
    in ('delivery', 'delivery_due', 'delivery_attempt', 'outbox_event', 'outbox_pending', 'endpoint')
  group by 1 order by 1`;

/** How waiting deliveries were sent. */
export interface SentDeliveries {
  tenants: number;
  /** Deliveries per second, from the first claim to the last settlement. */
  rate: number;
  floorRate: number;
  /** Requests that the receiver saw for each delivery: 1 when none was sent twice. */
  sendsEach: number;
}

/** What sending leaves of a table. */
export interface TableTraces {
  table: string;
  rows: number;
  deadRows: number;
  updates: number;
  /** Updates that changed no index, of all. */
  hotShare: number;
  /** Of the table, its indexes and what it keeps outside. */
  megabytes: number;
}

/** Makes the database and the receiver, and answers how to send `count` deliveries of so many tenants, each with one endpoint. */
export async function openDeliveries(adminUrl: string, log: number) {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  const ownerUrl = url.href;
  await query(adminUrl, `create database ${DATABASE}`);
  await migrate(ownerUrl);
  await setLoginPasswords(ownerUrl);
  const key = randomBytes(32).toString("base64");
  const receiver = await startReceiver(log);
  const send = async (tenants: number, count: number): Promise<SentDeliveries> => {
    const task = { ownerUrl, ...appUrls(ownerUrl), key, receiverUrl: receiver.url, tenants, count };
    await runPart({ ...task, part: "prepare" }, log);
    await query(ownerUrl, "vacuum analyze");
    await query(ownerUrl, "checkpoint");
    const floor = await runPart({ ...task, part: "floor" }, log);
    const before = await receiver.count();
    const ours = await runPart({ ...task, part: "deliver" }, log);
    const sends = (await receiver.count()) - before;
    return {
      tenants,
      rate: (ours.count / ours.ms) * 1_000,
      floorRate: (floor.count / floor.ms) * 1_000,
      sendsEach: sends / ours.count,
    };
  };
  const tables = async () => (await query(ownerUrl, TRACES)) as TableTraces[];
  return { send, tables, close: () => void receiver.process.kill() };
}

async function startReceiver(log: number) {
  const path = new URL("deliveries-receiver.ts", import.meta.url).pathname;
  const child: ChildProcess = fork(path, [], { stdio: ["ignore", log, log, "ipc"] });
  const message = () => new Promise<unknown>((resolve) => child.once("message", resolve));
  const url = String(await message());
  return {
    process: child,
    url,
    /** How many requests came. */
    async count(): Promise<number> {
      const answer = message();
      child.send("count");
      return Number(await answer);
    },
  };
}

function runPart(task: DeliveriesTask, log: number): Promise<DeliveriesDone> {
  const path = new URL("deliveries-part.ts", import.meta.url).pathname;
  const child = fork(path, [JSON.stringify(task)], { stdio: ["ignore", log, log, "ipc"], execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    let done: DeliveriesDone | undefined;
    child.once("message", (message) => {
      done = message as DeliveriesDone;
    });
    child.once("exit", (code) => (done ? resolve(done) : reject(new Error(`${task.part} ended with ${code}`))));
  });
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(text).finally(() => client.end());
  return rows;
}
