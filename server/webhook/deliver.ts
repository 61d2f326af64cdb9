import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { formatId } from "../id.ts";
import { errorFacts } from "../log.ts";
import { attempt } from "./attempt.ts";
import { type ClaimedDelivery, claimDeliveries, FIRST_TURN, type Turn } from "./claim-deliveries.ts";
import { extendLeases, releaseDeliveries } from "./hold-deliveries.ts";
import { inBatches } from "./in-batches.ts";
import { createRoom, type Room } from "./room.ts";
import { settle } from "./settle.ts";
import type { Settlement } from "./settle-deliveries.ts";
import { type Target, targetsOf } from "./target.ts";
import { createPost, type Post } from "./webhook-client.ts";

// How long an outcome waits for others to be written with it. The receiver has its webhook already.
const SETTLE_PAUSE_MS = 10;
// Slots that are filled together, as a part of all, and as a part of those that are in use: a claim costs about as much for
// one as for many.
const REFILL_OF_ALL = 16;
const REFILL_OF_USED = 4;

/** What one app keeps from pass to pass: open connections, slots, the statements that settle, and whose turn it is. */
interface Means {
  turn: Turn;
  room: Room;
  post: Post;
  settle(settlement: Settlement): Promise<ReadonlySet<string>>;
}

const means = new WeakMap<App, Means>();

/**
 * Sends deliveries that are due, of all tenants, until nothing is due and all that was sent is answered; answers how many
 * were sent. Slots that become free are filled again meanwhile, so that a receiver that takes its time holds up nobody
 * else. No transaction is open while a receiver is waited for: the claim gives a lease, which is prolonged, and an outcome
 * counts only while it lasts. After `stop` nothing more is claimed, and what was not sent is given back.
 */
export async function deliver(app: App, stop?: AbortSignal): Promise<number> {
  const flight = new Flight(app, meansOf(app));
  const beating = flight.keepLeases();
  try {
    for (let due = true; ; ) {
      if (!stop?.aborted) due = await flight.fill(stop);
      if (flight.empty && (!due || stop?.aborted)) return flight.sent;
      await flight.wait(due && !stop?.aborted);
    }
  } finally {
    await flight.land();
    await beating;
  }
}

/** The deliveries of one pass that are under way. */
class Flight {
  sent = 0;
  readonly #app: App;
  readonly #means: Means;
  readonly #underWay = new Map<string, { delivery: ClaimedDelivery; ended: Promise<void> }>();
  readonly #over = new AbortController();
  #freed = 0;
  #noted = 0;
  #wake = () => {};

  constructor(app: App, own: Means) {
    this.#app = app;
    this.#means = own;
  }

  get empty(): boolean {
    return this.#underWay.size === 0;
  }

  /** Whether more outcomes wait to be written than slots could bring about twice: the database comes first then. */
  get #behind(): boolean {
    return this.#underWay.size >= 2 * this.#app.config.deliveryConcurrencyMax;
  }

  /** Fills the free slots. Answers whether more may be due than there was room for, or that was not looked at. */
  async fill(stop: AbortSignal | undefined): Promise<boolean> {
    const { room, turn } = this.#means;
    this.#noted = this.#app.hints.noted("deliver");
    if (this.#behind) return true;
    this.#freed = 0; // those that became free during a claim may have been taken by it
    if (room.free() === 0) return true;
    const { claimed, next, heldBack } = await claimDeliveries(this.#app, turn, room);
    this.#means.turn = next;
    const targets = await targetsOf(this.#app, claimed);
    const unsent: ClaimedDelivery[] = [];
    for (const delivery of claimed) {
      const target = targets.get(delivery.endpoint_id);
      if (!target) continue; // deleted, and its deliveries with it
      // A lease that could end before the exchange does would let another worker send it too.
      const lastAt = plusMs(delivery.lease_until, -this.#app.config.deliveryTimeoutMs);
      if (stop?.aborted || this.#app.clock.now() > lastAt) unsent.push(delivery);
      else this.#send(delivery, target);
    }
    await releaseDeliveries(this.#app, unsent);
    return claimed.length > 0 || heldBack;
  }

  /**
   * Waits until it is worth looking again: enough slots are free and more is due, all have landed, there is news and room
   * for it, or time has passed.
   */
  async wait(due: boolean): Promise<void> {
    const { deliveryConcurrencyMax, pollMs } = this.#app.config;
    const { hints, clock } = this.#app;
    const many = Math.ceil(deliveryConcurrencyMax / REFILL_OF_ALL);
    const enough = Math.min(many, Math.ceil(this.#underWay.size / REFILL_OF_USED));
    const worth = () => this.empty || (due && this.#freed >= enough && !this.#behind);
    if (worth()) return;
    const woken = new AbortController();
    this.#wake = () => worth() && woken.abort();
    if (this.#means.room.free() < many) await clock.sleep(pollMs, woken.signal);
    else await hints.wait("deliver", this.#noted, pollMs, woken.signal);
  }

  /** Waits for all that is under way. */
  async land(): Promise<void> {
    await Promise.all(Array.from(this.#underWay.values(), ({ ended }) => ended));
    this.#over.abort();
  }

  /** Prolongs the leases of what is under way, as long as something may be. */
  async keepLeases(): Promise<void> {
    const { clock, config, log } = this.#app;
    const { signal } = this.#over;
    for (let last = clock.now(); !signal.aborted; ) {
      await clock.sleep(config.deliveryLeaseMs / 3, signal);
      if (clock.now() < plusMs(last, config.deliveryLeaseMs / 3)) continue;
      last = clock.now();
      const held = Array.from(this.#underWay.values(), ({ delivery }) => delivery);
      await extendLeases(this.#app, held).catch((error) => log.error("delivery.lease_not_kept", errorFacts(error)));
    }
  }

  #send(delivery: ClaimedDelivery, target: Target): void {
    this.sent++;
    this.#means.room.take(delivery);
    const ended = this.#carry(delivery, target)
      // A fault of ours costs this delivery its turn, until the lease has run out, and the others nothing.
      .catch((error) => this.#app.log.error("delivery.fault", { ...identify(delivery), ...errorFacts(error) }))
      .finally(() => {
        this.#underWay.delete(delivery.id);
        this.#wake();
      });
    this.#underWay.set(delivery.id, { delivery, ended });
  }

  async #carry(delivery: ClaimedDelivery, target: Target): Promise<void> {
    const { post, room, settle } = this.#means;
    const settlement = await attempt(this.#app, post, delivery, target).finally(() => {
      room.giveBack(delivery);
      this.#freed++;
      this.#wake();
    });
    const held = await settle(settlement);
    if (held.has(delivery.id)) logAttempt(this.#app, delivery, settlement);
  }
}

function meansOf(app: App): Means {
  let own = means.get(app);
  if (!own) {
    const write = (settlements: readonly Settlement[]) => settle(app, settlements);
    own = {
      turn: FIRST_TURN,
      room: createRoom(app.config.deliveryConcurrencyMax),
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
