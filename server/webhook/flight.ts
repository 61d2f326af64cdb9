import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { errorFacts } from "../log.ts";
import type { Facts } from "../observe/fact.ts";
import { attempt } from "./attempt.ts";
import { attemptFacts, deliveryFacts } from "./attempt-facts.ts";
import { type ClaimedDelivery, type ClaimRoom, claimDeliveries, type Turn } from "./claim-deliveries.ts";
import { isCapped } from "./endpoint-caps.ts";
import { claimKey, extendLeases, releaseDeliveries } from "./hold-deliveries.ts";
import type { Room } from "./room.ts";
import type { Settlement } from "./settle-deliveries.ts";
import type { ReadTargets, Target, TargetNow } from "./target.ts";
import { WaitingLines } from "./waiting-lines.ts";
import type { Post } from "./webhook-client.ts";

// A claim costs about as much for one as for many: it waits until a part of what is held was answered, or so many.
const REFILL_OF_HELD = 2;
const REFILL_MAX = 128;
// What is claimed ahead of free slots, of those that take what they get: twice what they took since the last claim. So it waits
// here no longer than two claims lie apart, and of a receiver that hangs or fails next to nothing waits here.
const AHEAD = 2;
// New work is looked for at once while such a part of the slots is free.
const ROOM_FOR_NEWS = 16;

/** What one app keeps from pass to pass: open connections, slots, the statements that settle, and whose turn it is. */
export interface Means {
  turn: Turn;
  /** For what is in flight. */
  slots: Room;
  /** For all that is claimed and not settled: claims wait for settlements that are behind. */
  held: Room;
  post: Post;
  readTargets: ReadTargets;
  settle(settlement: Settlement): Promise<ReadonlySet<string>>;
}

/** The deliveries of one pass: claimed, sent when there is a slot, settled. */
export class Flight {
  sent = 0;
  readonly #app: App;
  readonly #means: Means;
  readonly #stop: AbortSignal | undefined;
  /** All that was claimed and is not settled: each claim by itself, so that one delivery may be here by two claims. */
  readonly #held = new Set<ClaimedDelivery>();
  readonly #lines = new WaitingLines();
  readonly #landing = new Set<Promise<void>>();
  readonly #over = new AbortController();
  /** Attempts that ended since the last claim, */
  #answered = 0;
  /** and those of them that were taken: by tenant and by endpoint. */
  #taken = new Map<string, number>();
  #due = true;
  /** Hints of new work that had come when it looked last. */
  #noted = 0;
  #released = false; // what waited for one that is over is due now
  #targets = new Map<string, TargetNow>();
  #lookedAt = new Date(0);
  #wake = () => {};

  constructor(app: App, means: Means, stop: AbortSignal | undefined) {
    this.#app = app;
    this.#means = means;
    this.#stop = stop;
    stop?.addEventListener("abort", () => this.#wake(), { signal: this.#over.signal });
  }

  get empty(): boolean {
    return this.#held.size === 0;
  }

  /** Claims what there is room for, looks where all that waits here goes now, and fills the slots. Answers how many it claimed. */
  async fill(): Promise<number> {
    this.#noted = this.#app.hints.noted("deliver");
    const claimed = await this.#claim();
    for (const delivery of claimed) {
      this.#held.add(delivery);
      this.#means.held.take(delivery);
      this.#lines.add(delivery);
    }
    const lookedAt = this.#app.clock.now(); // what is changed while it reads may not be in what it read
    this.#targets = await this.#means.readTargets(this.#lines.endpoints());
    this.#lookedAt = lookedAt;
    await this.#giveBack(this.#lines.take((one) => this.#stopped || !this.#mayGo(one)));
    this.#sendWaiting();
    return claimed.length;
  }

  /** Waits until it is worth looking again: a hint of new work makes it so as long as there is room for some. */
  async wait(): Promise<void> {
    if (this.#isWorthLooking) return;
    const { clock, config, hints } = this.#app;
    const woken = new AbortController();
    this.#wake = () => this.#isWorthLooking && woken.abort();
    if (this.#means.slots.free() < config.deliveryConcurrencyMax / ROOM_FOR_NEWS) {
      await clock.sleep(config.pollMs, woken.signal);
    } else await hints.wait("deliver", this.#noted, config.pollMs, woken.signal);
    this.#wake = () => {};
  }

  /** Gives back what was not sent, and waits for the rest. */
  async land(): Promise<void> {
    this.#land(this.#giveBack(this.#lines.take(() => true)));
    await Promise.all(this.#landing);
    this.#over.abort();
  }

  /** Prolongs the leases of all that is held, as long as something is. What was lost is not sent. */
  async keepLeases(): Promise<void> {
    const { clock, config, log } = this.#app;
    const { signal } = this.#over;
    for (let last = clock.now(); !signal.aborted; ) {
      await clock.sleep(config.deliveryLeaseMs / 3, signal);
      if (clock.now() < plusMs(last, config.deliveryLeaseMs / 3)) continue;
      last = clock.now();
      await this.#extend(last).catch((error) => log.error("delivery.lease_not_kept", errorFacts(error)));
    }
  }

  /** Whether its endpoint is still sent to: it may be paused, disabled, deleted or rest since the claim. */
  #mayGo({ endpoint_id, by_hand }: ClaimedDelivery): boolean {
    const target = this.#targets.get(endpoint_id);
    return target !== undefined && (by_hand || !target.resting);
  }

  get #stopped(): boolean {
    return this.#stop?.aborted === true;
  }

  /** Whether the targets are read anew before more is sent: an endpoint may be paused. */
  get #stale(): boolean {
    return this.#app.clock.now() > plusMs(this.#lookedAt, this.#app.config.pollMs);
  }

  /** More is due and enough was answered; or all is settled; or what waits here must not be sent as it is. */
  get #isWorthLooking(): boolean {
    if (this.empty) return true;
    if (this.#stopped) return this.#lines.size > 0;
    if (this.#released && this.#means.held.free() > 0) return true;
    if (this.#answered === 0) return false;
    if (this.#lines.size > 0 && this.#stale) return true;
    const enough = Math.min(REFILL_MAX, this.#held.size / REFILL_OF_HELD);
    return this.#due && this.#answered >= enough && this.#means.held.free() > 0;
  }

  async #claim(): Promise<ClaimedDelivery[]> {
    if (this.#stopped || this.#means.held.free() === 0) return [];
    const room = this.#room(this.#answered, this.#taken);
    this.#answered = 0;
    this.#released = false;
    this.#taken = new Map();
    const { claimed, next, heldBack } = await claimDeliveries(this.#app, this.#means.turn, room);
    this.#means.turn = next;
    this.#due = claimed.length > 0 || heldBack;
    return claimed;
  }

  /** Room to claim: for the free slots, and ahead of them for those that take what they get. */
  #room(answered: number, taken: ReadonlyMap<string, number>): ClaimRoom {
    const { held, slots } = this.#means;
    const ahead = (id: string) => AHEAD * (taken.get(id) ?? 0);
    const within = (most: number, now: number) => Math.max(0, Math.min(most, now));
    return {
      free: () => within(held.free(), slots.free() + AHEAD * answered),
      ofTenant: (id) => within(held.ofTenant(id), slots.ofTenant(id) + ahead(id)),
      ofEndpoint: (turn) => {
        const { endpointId } = turn;
        // What is claimed within a cap is sent at once.
        const more = isCapped(turn) ? 0 : ahead(endpointId);
        return within(held.ofEndpoint(turn), slots.ofEndpoint(turn) + more - this.#lines.count(endpointId));
      },
    };
  }

  /** Sends what waits as far as there are slots. A lease that could end before the exchange does is given back. */
  #sendWaiting(): void {
    const { slots } = this.#means;
    const lastAt = plusMs(this.#app.clock.now(), this.#app.config.deliveryTimeoutMs);
    const maySend = (one: ClaimedDelivery) =>
      this.#mayGo(one) && // it may have been claimed a moment ago
      slots.ofTenant(one.tenant_id) > 0 &&
      slots.ofEndpoint({ tenantId: one.tenant_id, endpointId: one.endpoint_id }) > 0;
    const late: ClaimedDelivery[] = [];
    while (slots.free() > 0 && !this.#stopped && !this.#stale) {
      const delivery = this.#lines.next(maySend);
      if (!delivery) break;
      const target = this.#targets.get(delivery.endpoint_id) as Target;
      if (delivery.lease_until >= lastAt) this.#send(delivery, target);
      else late.push(delivery);
    }
    if (late.length > 0) this.#land(this.#giveBack(late));
  }

  /** Work that `land` waits for. A fault in it is logged. */
  #land(work: Promise<void>, facts: Facts = {}): void {
    const landed = work
      .catch((error) => this.#app.log.error("delivery.fault", { ...facts, ...errorFacts(error) }))
      .finally(() => this.#landing.delete(landed));
    this.#landing.add(landed);
  }

  #send(delivery: ClaimedDelivery, target: Target): void {
    this.sent++;
    this.#means.slots.take(delivery);
    // A fault of ours costs this delivery its turn, until the lease has run out, and the others nothing.
    this.#land(
      this.#carry(delivery, target).finally(() => this.#drop(delivery)),
      deliveryFacts(delivery),
    );
  }

  async #carry(delivery: ClaimedDelivery, target: Target): Promise<void> {
    const { post, slots, settle } = this.#means;
    const settlement = await attempt(this.#app, post, delivery, target).finally(() => {
      slots.giveBack(delivery);
      this.#answered++;
    });
    if (settlement.state === "DELIVERED") {
      for (const id of [delivery.tenant_id, delivery.endpoint_id]) this.#taken.set(id, (this.#taken.get(id) ?? 0) + 1);
    }
    const settled = settle(settlement);
    this.#sendWaiting();
    this.#wake();
    const { log, observer } = this.#app;
    if ((await settled).has(delivery.id)) log.info("delivery.attempted", attemptFacts(delivery, settlement));
    else {
      observer.count("usageflow_delivery_leases_lost_total", {});
      log.warn("delivery.lease_lost", deliveryFacts(delivery)); // it was too slow, or the endpoint is gone
    }
    if (delivery.in_lane && settlement.state !== "PENDING") {
      this.#released = true;
      this.#wake();
    }
  }

  #drop(delivery: ClaimedDelivery): void {
    if (!this.#held.delete(delivery)) return;
    this.#means.held.giveBack(delivery);
    this.#wake();
  }

  async #giveBack(unsent: readonly ClaimedDelivery[]): Promise<void> {
    for (const delivery of unsent) this.#drop(delivery);
    await releaseDeliveries(this.#app, unsent);
  }

  async #extend(now: Date): Promise<void> {
    const until = plusMs(now, this.#app.config.deliveryLeaseMs);
    const all = [...this.#held];
    const kept = await extendLeases(this.#app, all, until);
    const lost = new Set(all.filter((one) => !kept.has(claimKey(one))));
    for (const delivery of all) if (!lost.has(delivery)) delivery.lease_until = until;
    for (const delivery of this.#lines.take((one) => lost.has(one))) this.#drop(delivery);
  }
}
