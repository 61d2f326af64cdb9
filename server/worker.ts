import type { App } from "./app.ts";
import type { HintedLoop } from "./hint.ts";
import { billLateUsage } from "./invoice/bill-late-usage.ts";
import { checkThresholds } from "./invoice/check-thresholds.ts";
import { closePeriods } from "./invoice/close-periods.ts";
import { expireCredits } from "./invoice/expire-credits.ts";
import { finalizeInvoices } from "./invoice/finalize-invoices.ts";
import type { Lockstep } from "./lockstep.ts";
import { errorFacts } from "./log.ts";
import { type Loop, type LoopBody, type LoopReport, startLoop } from "./loop.ts";
import { dispatchEvents, dispatchEventsOf } from "./outbox/dispatch-events.ts";
import { eraseEvents } from "./outbox/erase-events.ts";
import { subscribeArrivals } from "./pricing/subscribe-arrivals.ts";
import { purgeAnswers } from "./rpc/purge-answers.ts";
import { dueTenants } from "./tenant/due-tenants.ts";
import { EMPTY_IDLE_MS, EMPTY_REST_MS, emptyOrganizations } from "./tenant/empty-organizations.ts";
import { eraseAudit } from "./tenant/erase-audit.ts";
import { eraseCopies } from "./tenant/erase-copies.ts";
import { endClockLeases, walkClock } from "./tenant/walk-clock.ts";
import { turnOf } from "./tenants-in-turn.ts";
import { eraseUsage } from "./usage/erase-usage.ts";
import { foldUsage, foldUsageOfAllTenants } from "./usage/fold-usage.ts";
import { deliver } from "./webhook/deliver.ts";
import { eraseAnswers } from "./webhook/erase-answers.ts";
import { expireListeners } from "./webhook/expire-listeners.ts";
import { fanOut } from "./webhook/fan-out.ts";
import { endLeases } from "./webhook/hold-deliveries.ts";
import { KEEP_LOG_IDLE_MS, KEEP_LOG_REST_MS, keepLog } from "./webhook/keep-log.ts";
import { purgeFormerSecrets } from "./webhook/purge-former-secrets.ts";
import { REPLAY_REST_MS, replayDeliveries } from "./webhook/replay-deliveries.ts";

// Everything that happens in the background, in one place. Each loop's body does a bounded piece of work and answers how
// much; any number of processes may run them.

// What was sent before is answered later: events are emptied before answers to them.
const erasureParts = [eraseUsage, eraseEvents, eraseAnswers, eraseAudit];
const consumers = (app: App) => [fanOut(app)];
// Tenants of one round of billing.
const TENANTS_MAX = 1_000;

const loops = {
  // Under load every commit leaves a batch: folding each as it comes would cost as much as storing it.
  foldUsage: { runOnce: foldUsageOfAllTenants, restMs: 1_000 },
  billTenants: { runOnce: billTenants },
  walkClock: { runOnce: (app, stop) => walkClock(app, billAndDispatch, stop) },
  dispatchEvents: { runOnce: (app, stop) => dispatchEvents(app, consumers(app), stop) },
  deliver: { runOnce: deliver },
  replayDeliveries: { runOnce: replayDeliveries, restMs: REPLAY_REST_MS },
  keepLog: { runOnce: keepLog, restMs: KEEP_LOG_REST_MS, idleMs: KEEP_LOG_IDLE_MS },
  expireListeners: { runOnce: expireListeners },
  eraseCopies: { runOnce: (app, stop) => eraseCopies(app, erasureParts, stop) },
  emptyOrganizations: { runOnce: emptyOrganizations, restMs: EMPTY_REST_MS, idleMs: EMPTY_IDLE_MS },
  purge: { runOnce: purge },
} satisfies Record<HintedLoop, LoopBody> & Record<string, LoopBody>;

/** The loops that make something of what calls left, in the only order in which two runs are equal. */
const following: readonly (keyof typeof loops)[] = ["foldUsage", "billTenants", "walkClock", "dispatchEvents"];

/** A running worker. `close` lets the passes under way end, and gives back what they hold. */
export interface Worker {
  /** How each loop does. */
  report(): LoopReport[];
  close(): Promise<void>;
}

/** Starts all loops. Where the app goes in lockstep, those that follow from calls run after each call, one after the other. */
export function startWorker(app: App): Worker {
  app.hints.listen();
  const { lockstep } = app;
  const alone = Object.entries(loops).filter(([name]) => !lockstep || !following.some((one) => one === name));
  const running = alone.map(([name, body]) => startLoop(app, name, body));
  if (lockstep) running.push(startFollowing(app, lockstep));
  return {
    report: () => running.map((loop) => loop.report()),
    close: async () => void (await Promise.all(running.map((loop) => loop.close()))),
  };
}

/**
 * Takes up at once what workers that are gone still hold, which would be left alone until their leases end. For who knows that
 * no other process is at work on these data.
 */
export async function takeOver(app: App): Promise<void> {
  await endLeases(app);
  await endClockLeases(app);
}

/** Does what follows after each call, and between calls what falls due. */
function startFollowing(app: App, lockstep: Lockstep): Loop {
  const stop = new AbortController();
  const follow = async () => {
    for (let done = 1; done > 0 && !stop.signal.aborted; ) {
      done = 0;
      for (const name of following) done += await loops[name].runOnce(app, stop.signal);
    }
  };
  lockstep.follow(() =>
    follow().catch((error) => app.log.error("loop.failed", { loop: "follow", ...errorFacts(error) })),
  );
  const looking = startLoop(app, "follow", { runOnce: () => lockstep.take(async () => 0) });
  return {
    report: looking.report,
    async close() {
      stop.abort();
      await looking.close();
      await lockstep.take(async () => {}); // a call that is under way is followed by nothing any more
    },
  };
}

/** Runs every loop until none finds work: for tests, which have no running worker. */
export async function drain(app: App): Promise<void> {
  const never = new AbortController().signal;
  for (let done = 1; done > 0; ) {
    done = 0;
    for (const { runOnce } of Object.values(loops)) done += await runOnce(app, never);
  }
}

/** Forgets what is of no use any more. */
async function purge(app: App, stop: AbortSignal): Promise<number> {
  return (await purgeAnswers(app)) + (await purgeFormerSecrets(app, stop));
}

/** A round of billing over the tenants that are due. */
async function billTenants(app: App, stop?: AbortSignal): Promise<number> {
  let done = 0;
  for (const tenantId of await dueTenants(app, TENANTS_MAX)) {
    if (stop?.aborted) break;
    done += await turnOf(app, "billing", tenantId, () => billTenant(app, tenantId));
  }
  return done;
}

/**
 * One round of billing for a tenant, in the only order that is right: usage that is pending counts before customers are
 * subscribed and periods close, credits that have run out pay for nothing, and what closed can be final. This line-up is
 * what lets domains not call each other.
 */
async function billTenant(app: App, tenantId: string): Promise<number> {
  let done = 0;
  for (let folded = 1; folded > 0; done += folded) folded = await foldUsage(app, tenantId);
  done += await subscribeArrivals(app, tenantId);
  done += await checkThresholds(app, tenantId); // while the period is open that the usage is of
  done += await billLateUsage(app, tenantId);
  done += await closePeriods(app, tenantId);
  done += await expireCredits(app, tenantId);
  done += await finalizeInvoices(app, tenantId);
  return done;
}

async function billAndDispatch(app: App, tenantId: string): Promise<number> {
  return (await billTenant(app, tenantId)) + (await dispatchEventsOf(app, tenantId, consumers(app)));
}
