import { onDeadline } from "../clock.ts";
import { overloaded } from "./errors.ts";
import { Places } from "./places.ts";

const RETRY_MS = 1_000;

interface Waiting {
  enter(): void;
  refuse(): void;
}

/**
 * Places for calls that work at the same time. Who finds none waits, and tenants take turns: one that calls much waits for
 * itself, and not others for it.
 */
export class Slots {
  readonly #places: Places;
  readonly #waitingMax: number;
  readonly #waitMaxMs: number;
  /** In the order in which their turn comes. */
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingOfAll = 0;

  constructor(limits: { places: number; waitingMax: number; waitMaxMs: number }) {
    this.#places = new Places(limits.places);
    this.#waitingMax = limits.waitingMax;
    this.#waitMaxMs = limits.waitMaxMs;
  }

  /** Does the work when there is a place for it. Refuses when there is none in time, or too many wait. */
  async run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.has(tenantId) || !this.#places.hasRoom(tenantId)) await this.#wait(tenantId);
    else this.#places.hold(tenantId);
    try {
      return await work();
    } finally {
      this.#places.giveBack(tenantId);
      this.#admit();
    }
  }

  #wait(tenantId: string): Promise<void> {
    const line = this.#waiting.get(tenantId) ?? [];
    if (line.length >= this.#waitingMax - this.#waitingOfAll) {
      throw overloaded("more calls of this tenant wait than the server can take", RETRY_MS);
    }
    return new Promise((resolve, reject) => {
      const called = onDeadline(this.#waitMaxMs, () => {
        line.splice(line.indexOf(one), 1);
        this.#left(tenantId, line);
        one.refuse();
      });
      const one: Waiting = {
        enter: () => {
          called();
          resolve();
        },
        refuse: () => reject(overloaded("the server is busy with other calls", RETRY_MS)),
      };
      line.push(one);
      this.#waiting.set(tenantId, line);
      this.#waitingOfAll += 1;
    });
  }

  #left(tenantId: string, line: readonly Waiting[]): void {
    this.#waitingOfAll -= 1;
    if (line.length === 0) this.#waiting.delete(tenantId);
  }

  /** Gives what is free to those who wait; who got a place is last in turn. */
  #admit(): void {
    for (const [tenantId, line] of this.#waiting) {
      if (this.#places.free <= 0) return;
      if (!this.#places.hasRoom(tenantId)) continue;
      const one = line.shift() as Waiting;
      this.#waiting.delete(tenantId);
      if (line.length > 0) this.#waiting.set(tenantId, line); // iterated again: a Map goes on with what is added
      this.#waitingOfAll -= 1;
      this.#places.hold(tenantId);
      one.enter();
    }
  }
}
