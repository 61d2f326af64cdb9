/** The waits between attempts. */
export interface Waits {
  /** After the first failure; twice as long after each more. */
  firstMs: number;
  /** The longest. */
  maxMs: number;
}

/** The wait after so many failures in a row: from half of it to all of it, by chance, so that clients do not come together. */
export function waitMs(failures: number, { firstMs, maxMs }: Waits, random = Math.random()): number {
  const whole = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return whole * (0.5 + random / 2);
}

/** What a `Retry-After` header says, in milliseconds: a number of seconds, or a date. */
export function retryAfterMs(header: string | null | undefined, now = Date.now()): number | undefined {
  if (!header) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
