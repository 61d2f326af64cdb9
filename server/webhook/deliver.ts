import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { formatId } from "../id.ts";
import { errorFacts } from "../log.ts";
import { attempt } from "./attempt.ts";
import { type ClaimedDelivery, claimDeliveries, FIRST_TURN, releaseDeliveries, type Turn } from "./claim-deliveries.ts";
import { inBatches } from "./in-batches.ts";
import { settle } from "./settle.ts";
import type { Settlement } from "./settle-deliveries.ts";
import { type Target, targetsOf } from "./target.ts";
import { createPost, type Post } from "./webhook-client.ts";

// How long an outcome waits for others to be written with it. The receiver has its webhook already.
const SETTLE_PAUSE_MS = 10;

/** How many passes run beside each other in one process; they share `deliveryConcurrencyMax`. */
export const DELIVER_PASSES = 4;

/** What the passes of one app share: open connections, the statements that settle, and whose turn it is. */
interface Means {
  turn: Turn;
  post: Post;
  settle(settlement: Settlement): Promise<ReadonlySet<string>>;
}

const means = new WeakMap<App, Means>();

/**
 * Sends deliveries that are due, of all tenants, and answers how many. No transaction is open while a receiver is waited
 * for: the claim gives a lease, and an outcome counts only while the lease does. After `stop` nothing more is sent, and
 * what was not is given back. Passes may overlap, so that a receiver that takes its time holds up one of them.
 */
export async function deliver(app: App, stop?: AbortSignal): Promise<number> {
  const own = meansOf(app);
  const { post } = own;
  const { claimed, next } = await claimDeliveries(app, own.turn);
  own.turn = next;
  const targets = await targetsOf(app, claimed);
  const unsent: ClaimedDelivery[] = [];
  const settled: Promise<void>[] = [];
  let sent = 0;
  const send = async (delivery: ClaimedDelivery, target: Target): Promise<void> => {
    sent++;
    // A fault of ours costs this delivery its turn, until the lease has run out, and the others nothing.
    const fault = (error: unknown) => app.log.error("delivery.fault", { ...identify(delivery), ...errorFacts(error) });
    const settlement = await attempt(app, post, delivery, target).catch(fault);
    if (!settlement) return;
    const log = (held: ReadonlySet<string>) => {
      if (held.has(delivery.id)) logAttempt(app, delivery, settlement);
    };
    settled.push(own.settle(settlement).then(log).catch(fault));
  };
  const queue = claimed.values(); // shared: each lane takes the next
  const lane = async (): Promise<void> => {
    for (const delivery of queue) {
      const target = targets.get(delivery.endpoint_id);
      if (!target) continue; // deleted, and its deliveries with it
      // A lease that could end before the exchange does would let another worker send it too.
      const lastAt = plusMs(delivery.lease_until, -app.config.deliveryTimeoutMs);
      if (stop?.aborted || app.clock.now() > lastAt) unsent.push(delivery);
      else await send(delivery, target);
    }
  };
  const lanes = Math.ceil(app.config.deliveryConcurrencyMax / DELIVER_PASSES);
  await Promise.all(Array.from({ length: lanes }, lane));
  await Promise.all(settled);
  await releaseDeliveries(app, unsent);
  return sent;
}

function meansOf(app: App): Means {
  let own = means.get(app);
  if (!own) {
    const write = (settlements: readonly Settlement[]) => settle(app, settlements);
    own = {
      turn: FIRST_TURN,
      post: createPost(app.config),
      settle: inBatches(write, () => app.clock.sleep(SETTLE_PAUSE_MS)),
    };
    means.set(app, own);
  }
  return own;
}

function logAttempt(app: App, delivery: ClaimedDelivery, { status, duration_us, error }: Settlement): void {
  app.log.info("delivery.attempted", {
    ...identify(delivery),
    status,
    duration_ms: duration_us / 1000,
    ...(error ? { error } : {}),
  });
}

function identify(delivery: ClaimedDelivery) {
  return {
    tenant_id: delivery.tenant_id,
    endpoint_id: formatId("whe", delivery.endpoint_id),
    delivery_id: formatId("whd", delivery.id),
    event_id: formatId("evt", delivery.event_id),
    type: delivery.type,
    attempt: delivery.attempt_count + 1,
  };
}
