import { subscribe } from "node:diagnostics_channel";
import pg from "pg";
import { type Fate, MOMENTS } from "./fate.ts";

// Comes before the real command in a process of its own, and kills it when it has come to a named point for the nth time, as
// USAGEFLOW_TEST_FATE says. The server knows nothing of it: points are told by the statements that go to the database.

/** What a statement is for. Where one is put in other words, a fate never comes true, and the ledger waits for it in vain. */
const STATEMENTS: readonly { kind: string; pattern: RegExp }[] = [
  { kind: "claim", pattern: /set lease_until = \$\d+, lease_token = \$\d+/ },
  { kind: "settle", pattern: /insert into delivery_attempt/ },
  { kind: "heartbeat", pattern: /set lease_until = \$\d+\s+from held/ },
  { kind: "fan-out", pattern: /insert into delivery \(/ },
];

const fate: Fate | undefined = JSON.parse(process.env.USAGEFLOW_TEST_FATE ?? "null") ?? undefined;
const moments: readonly string[] = fate ? MOMENTS[fate.point] : [];
let left = fate?.times ?? 0;

function come(moment: string): void {
  if (moments.includes(moment) && --left === 0) process.kill(process.pid, "SIGKILL");
}

type Query = (this: pg.Client, ...args: unknown[]) => unknown;
const prototype = pg.Client.prototype as unknown as { query: Query };
const send = prototype.query;
const transactions = new WeakMap<pg.Client, Set<string>>(); // what each open one has done so far

prototype.query = function (...args) {
  const text = String(args[0]);
  const kind = STATEMENTS.find(({ pattern }) => pattern.test(text))?.kind;
  if (text === "begin") transactions.set(this, new Set());
  const within = transactions.get(this);
  const commits = text === "commit" ? [...(within ?? [])] : [];
  if (text === "commit" || text === "rollback") transactions.delete(this);
  if (kind) come(`before ${kind}`);
  for (const done of commits) come(`committing ${done}`);
  const result = send.apply(this, args);
  if (kind && !within) come(`sent ${kind}`);
  Promise.resolve(result).then(
    (answer) => {
      if (kind && (answer as pg.QueryResult).rowCount) within ? within.add(kind) : come(`done ${kind}`);
      for (const done of commits) come(`done ${done}`);
    },
    () => {}, // whoever asked hears of it
  );
  return result;
};

// The receiver is to know who sent it what.
subscribe("undici:request:create", (message) => {
  const { request } = message as { request: { addHeader(name: string, value: string): void } };
  request.addHeader("x-test-worker", String(process.pid));
});
