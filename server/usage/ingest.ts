import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { newId } from "../id.ts";
import type { Trace } from "../observe/trace.ts";
import { overloaded, refusal } from "../rpc/errors.ts";
import type { UsageRow } from "./check-event.ts";
import { FairQueue } from "./fair-queue.ts";
import { beginCommit, type TracedCommit } from "./trace-commit.ts";

/** What `ingest_usage` answers for a row: accepted, duplicate, or `conflict:` and the field that differs. */
export type IngestOutcome = string;

/** Stores rows, each request's of one tenant. Resolves when they are on disk. */
export interface Ingest {
  store(rows: readonly UsageRow[], options?: StoreOptions): Promise<readonly IngestOutcome[]>;
}

export interface StoreOptions {
  trace?: Trace | undefined;
  /** In process time: from then on nothing of it is stored. */
  until?: Date;
}

// Rows in a commit. Larger groups gain nothing, and make the requests in them wait.
const ROWS_MAX = 2_000;

interface Waiting {
  rows: readonly UsageRow[];
  tenantId: string;
  trace: Trace | undefined;
  until: Date | undefined;
  resolve(outcomes: readonly IngestOutcome[]): void;
  reject(error: unknown): void;
}

/**
 * Group commit: what arrives while a commit is under way, of any tenants, shares the next one, so that single events are
 * nearly as cheap as batches.
 */
export function createIngest(app: App): Ingest {
  const waiting = new FairQueue<Waiting>();
  const { eventsWaitingMax } = app.config;
  let committing = false;

  const take = (): Waiting[] => {
    const now = app.clock.now();
    return waiting.take(ROWS_MAX).filter((one) => {
      if (!one.until || now < one.until) return true;
      one.reject(tooLate());
      return false;
    });
  };
  // One commit at a time. Two were tried: at 64 connections the groups halve, and a commit costs as much as 50 rows
  // (16 k events/s with two, 19 k with one).
  const pump = async (): Promise<void> => {
    if (committing) return;
    committing = true;
    while (waiting.rows > 0) {
      const group = take();
      if (group.length > 0) await commit(app, group);
    }
    committing = false;
  };
  return {
    store: (rows, { trace, until } = {}) =>
      new Promise((resolve, reject) => {
        const tenantId = rows[0]?.tenantId ?? "";
        // As much as is left free, so that who floods it leaves room to others.
        if (waiting.rowsOf(tenantId) + rows.length > eventsWaitingMax - waiting.rows) {
          return reject(overloaded("more usage is waiting than can be stored at once; try again in a second"));
        }
        waiting.add({ rows, tenantId, trace, until, resolve, reject });
        // Not at once: requests that are read in this turn of the event loop come along.
        if (!committing) setImmediate(pump);
      }),
  };
}

function tooLate() {
  const message = "the call waited longer than it may; nothing of it was stored: try again";
  return refusal(Code.DeadlineExceeded, ErrorReason.OVERLOADED, message);
}

/** Commits a group. Never throws: each request hears of its own. */
async function commit(app: App, group: readonly Waiting[]): Promise<void> {
  const rows = group.length === 1 ? (group[0] as Waiting).rows : group.flatMap((one) => one.rows);
  const traced = beginCommit(app.observer, group);
  const startedAt = performance.now();
  try {
    const outcomes = await ingestRows(app, rows, traced);
    traced.end(false);
    app.observer.record("usageflow_usage_commit_duration_seconds", {}, (performance.now() - startedAt) / 1_000);
    let from = 0;
    for (const one of group) {
      one.resolve(outcomes.slice(from, from + one.rows.length));
      from += one.rows.length;
    }
  } catch (error) {
    traced.end(true);
    // Rows are checked before they come here; should one be refused all the same, it fails alone.
    if (group.length > 1 && isDataError(error)) for (const one of group) await commit(app, [one]);
    else for (const one of group) one.reject(error);
  }
}

async function ingestRows(app: App, rows: readonly UsageRow[], traced: TracedCommit): Promise<IngestOutcome[]> {
  const { rows: answers } = await app.pool.query<[string]>({
    text: "select ingest_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    rowMode: "array",
    values: [
      rows.map((row) => row.tenantId),
      rows.map((row) => row.key),
      rows.map((row) => row.metric),
      rows.map((row) => row.customerId),
      rows.map((row) => row.amount),
      rows.map((row) => row.occurredAt),
      rows.map((row) => row.occurredAtSent),
      rows.map((row) => row.properties),
      newId(),
      app.clock.now(),
      traced.tenants,
      traced.traces,
    ],
  });
  if (answers.length !== rows.length) throw new Error(`${rows.length} rows, and ${answers.length} answers`);
  return answers.map(([outcome]) => outcome);
}

/** PostgreSQL's classes 22 (data) and 23 (integrity). */
function isDataError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^2[23]/.test(String(error.code));
}
