import type { App } from "../app.ts";
import { FIRST_TURN } from "./claim-deliveries.ts";
import { Flight, type Means } from "./flight.ts";
import { inBatches } from "./in-batches.ts";
import { createRoom } from "./room.ts";
import { settle } from "./settle.ts";
import type { Settlement } from "./settle-deliveries.ts";
import { createTargets } from "./target.ts";
import { createPost } from "./webhook-client.ts";

// How long an outcome waits for others to be written with it. The receiver has its webhook already.
const SETTLE_PAUSE_MS = 10;
const SETTLEMENTS_AT_ONCE = 2;
// Deliveries that are held for each that may be in flight: those that wait for their turn here, and outcomes to be written.
const HELD_OF_SLOTS = 4;

const means = new WeakMap<App, Means>();

/**
 * Sends deliveries that are due, of all tenants, until nothing is due and all that was sent is answered; answers how many
 * were sent. Slots that become free are filled again meanwhile, so that a receiver that takes its time holds up nobody
 * else. No transaction is open while a receiver is waited for: the claim gives a lease, which is prolonged, and an outcome
 * counts only while it lasts. After `stop` nothing more is claimed, and what was not sent is given back.
 */
export async function deliver(app: App, stop?: AbortSignal): Promise<number> {
  const flight = new Flight(app, meansOf(app), stop);
  const beating = flight.keepLeases();
  try {
    for (;;) {
      const { empty } = flight; // what is held leaves less room: while it is settled, nothing may be claimed of much that is due
      const claimed = await flight.fill();
      if (empty && claimed === 0) return flight.sent;
      await flight.wait();
    }
  } finally {
    await flight.land();
    await beating;
  }
}

function meansOf(app: App): Means {
  let own = means.get(app);
  if (!own) {
    const { deliveryConcurrencyMax } = app.config;
    const write = (settlements: readonly Settlement[]) => settle(app, settlements);
    own = {
      turn: FIRST_TURN,
      slots: createRoom(deliveryConcurrencyMax),
      held: createRoom(deliveryConcurrencyMax * HELD_OF_SLOTS),
      post: createPost(app.config),
      readTargets: createTargets(app),
      settle: inBatches(write, () => app.clock.sleep(SETTLE_PAUSE_MS), SETTLEMENTS_AT_ONCE),
    };
    means.set(app, own);
  }
  return own;
}
