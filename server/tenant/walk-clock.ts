import { randomUUID } from "node:crypto";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { type ClockRow, timeOf } from "./tenant-clock.ts";

// A worker that walks a clock has it for so long; each step takes it anew.
const LEASE_MS = 60_000;
// Another worker may still be at work that fell due before the walk began: how long to wait before looking again.
const WAIT_MS = 20;

/** Does one bounded part of what is due for a tenant, and answers how much. */
export type DueWork = (app: App, tenantId: string) => Promise<number>;

/**
 * Takes one tenant whose clock is to be advanced, and walks it: from one due instant to the next, doing at each what
 * falls due, until the target. Stopped or killed on the way, another worker goes on where the clock stands. Answers 1, or
 * 0 when no clock is to be advanced.
 */
export async function walkClock(app: App, work: DueWork, stop?: AbortSignal): Promise<number> {
  const token = randomUUID();
  const tenantId = await claimClock(app, token);
  if (!tenantId) return 0;
  while (!stop?.aborted && !(await walkOn(app, tenantId, token, work)));
  // Not where the work failed: until the lease has run out it is other tenants' turn.
  await held(app, tenantId, token).set({ clock_lease_until: null, clock_lease_token: null }).execute();
  return 1;
}

/** One step of a walk. Answers whether it was the last. */
async function walkOn(app: App, tenantId: string, token: string, work: DueWork): Promise<boolean> {
  if ((await work(app, tenantId)) > 0) {
    await keepClock(app, tenantId, token);
    return false;
  }
  const where = await look(app, tenantId, token);
  if (!where) return true; // the lease was lost: another worker walks on
  const { now, target, due } = where;
  if (due && due <= now) await app.clock.sleep(WAIT_MS);
  else if (now >= target) return arrive(app, tenantId, token, target);
  else await step(app, tenantId, token, where, due && due < target ? due : target);
  return false;
}

/** Ends what holds clocks: for who knows that nobody is at work. */
export async function endClockLeases(app: App): Promise<void> {
  await app.workerDb
    .updateTable("tenant")
    .set({ clock_lease_until: null, clock_lease_token: null })
    .where("clock_lease_until", "is not", null)
    .execute();
}

async function claimClock(app: App, token: string): Promise<string | undefined> {
  const now = app.clock.now();
  const row = await app.workerDb
    .updateTable("tenant")
    .set({ clock_lease_until: plusMs(now, LEASE_MS), clock_lease_token: token })
    .where("tenant_id", "in", (query) =>
      query
        .selectFrom("tenant")
        .select("tenant_id")
        .where("clock_target", "is not", null)
        .where((or) => or.or([or("clock_lease_until", "is", null), or("clock_lease_until", "<", now)]))
        .orderBy("tenant_id")
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returning("tenant_id")
    .executeTakeFirst();
  return row?.tenant_id;
}

async function keepClock(app: App, tenantId: string, token: string): Promise<void> {
  await held(app, tenantId, token)
    .set({ clock_lease_until: plusMs(app.clock.now(), LEASE_MS) })
    .execute();
}

interface Where {
  row: ClockRow;
  now: Date;
  target: Date;
  /** What falls due first. Null: nothing. */
  due: Date | null;
}

/** Where the clock stands and where it is to go. Undefined when it is no longer ours. */
async function look(app: App, tenantId: string, token: string): Promise<Where | undefined> {
  const row = await app.workerDb
    .selectFrom("tenant")
    .select(["clock_frozen_at", "clock_offset_ms", "clock_target"])
    .where("tenant_id", "=", tenantId)
    .where("clock_lease_token", "=", token)
    .executeTakeFirst();
  if (!row?.clock_target) return undefined;
  const { due } = await app.workerDb
    .selectFrom("tenant_due")
    .select((expression) => expression.fn.min("due_at").as("due"))
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return { row, now: timeOf(row, app.clock), target: row.clock_target, due };
}

/** Moves the clock to `to`: a frozen one stands there, another runs on from there. */
async function step(app: App, tenantId: string, token: string, { row, now }: Where, to: Date): Promise<void> {
  const ms = BigInt(to.getTime() - now.getTime());
  await held(app, tenantId, token)
    .set(row.clock_frozen_at ? { clock_frozen_at: to } : { clock_offset_ms: row.clock_offset_ms + ms })
    .set({ clock_lease_until: plusMs(app.clock.now(), LEASE_MS) })
    .execute();
}

/** Ends the walk, unless the target was moved on meanwhile. */
async function arrive(app: App, tenantId: string, token: string, target: Date): Promise<boolean> {
  const { numUpdatedRows } = await held(app, tenantId, token)
    .set({ clock_target: null })
    .where("clock_target", "=", target)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function held(app: App, tenantId: string, token: string) {
  return app.workerDb.updateTable("tenant").where("tenant_id", "=", tenantId).where("clock_lease_token", "=", token);
}
