/** How much somebody has left. */
interface Bucket {
  /** In thousandths, which a millisecond fills in whole numbers. May be below zero: a batch is taken as a whole. */
  left: number;
  /** When `left` was right, in process time. */
  atMs: number;
}

const ONE = 1_000;

// Those who have all of their rate left are forgotten when there are more than this.
const REMEMBERED_MAX = 10_000;

/**
 * A rate that each of many may reach: so much in a second, and after a pause the worth of some seconds at once. Counted in
 * this process; others count for themselves.
 */
export class Rate {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  /** 0 a second: no limit. */
  constructor(perSecond: number, burstSeconds: number) {
    this.#perSecond = perSecond;
    this.#burst = perSecond * burstSeconds * ONE;
  }

  /** How long `who` has to wait before the next; 0: it may come now. */
  waitMs(who: string, nowMs: number): number {
    if (this.#burst === 0) return 0;
    const { left } = this.#bucketOf(who, nowMs);
    // A whole one has to be there, and a batch that was larger than what was left has to be paid for first.
    return left >= ONE ? 0 : Math.ceil((ONE - left) / this.#perSecond);
  }

  /** Takes `count` of what `who` has. */
  take(who: string, count: number, nowMs: number): void {
    if (this.#burst > 0) this.#bucketOf(who, nowMs).left -= count * ONE;
  }

  #bucketOf(who: string, nowMs: number): Bucket {
    let bucket = this.#buckets.get(who);
    if (!bucket) {
      if (this.#buckets.size >= REMEMBERED_MAX) this.#forget(nowMs);
      bucket = { left: this.#burst, atMs: nowMs };
      this.#buckets.set(who, bucket);
    }
    this.#fill(bucket, nowMs);
    return bucket;
  }

  #fill(bucket: Bucket, nowMs: number): void {
    const passedMs = Math.max(0, nowMs - bucket.atMs); // a clock that was put back fills nothing
    bucket.left = Math.min(this.#burst, bucket.left + passedMs * this.#perSecond);
    bucket.atMs = nowMs;
  }

  #forget(nowMs: number): void {
    for (const [who, bucket] of this.#buckets) {
      this.#fill(bucket, nowMs);
      if (bucket.left >= this.#burst) this.#buckets.delete(who);
    }
  }
}
