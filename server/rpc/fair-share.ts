// Calls in a window that are taken however late the process is: fewer would not make it late.
const LEAST = 250;
const LESS = 0.7;
const MORE = 1.25;

/**
 * Takes less while the process is late: what it can do is shared out in equal parts among the tenants that call, window by
 * window. Who sends no more than an equal part is never refused, whatever the others send.
 */
export class FairShare {
  /** Calls of each tenant in this window, refused ones included. */
  #calls = new Map<string, number>();
  #callers = 0; // of the window before
  #taken = 0;
  #budget = Number.POSITIVE_INFINITY;

  /** Begins the next window. `late`: the process could not do in time what came in the one before. */
  next(late: boolean): void {
    if (late) this.#budget = Math.max(LEAST, LESS * Math.min(this.#budget, this.#taken));
    else this.#budget *= MORE;
    // Where it stands well above what comes, it holds nobody.
    if (!late && this.#budget > 4 * this.#taken + LEAST) this.#budget = Number.POSITIVE_INFINITY;
    this.#callers = this.#calls.size;
    this.#calls = new Map();
    this.#taken = 0;
  }

  /** Whether a call of the tenant is taken. */
  take(tenantId: string): boolean {
    const calls = (this.#calls.get(tenantId) ?? 0) + 1;
    this.#calls.set(tenantId, calls);
    if (calls > this.#budget / Math.max(this.#callers, this.#calls.size)) return false;
    this.#taken += 1;
    return true;
  }
}
