const SECONDS = /^\d{1,10}$/;
// The one form that HTTP lets be sent, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** How long a `Retry-After` asks to wait from `now`, and no longer than `maxMs`. Undefined when it asks for nothing. */
export function retryAfterMs(header: string | undefined, now: Date, maxMs: number): number | undefined {
  const text = header?.trim() ?? "";
  let wait: number;
  if (SECONDS.test(text)) wait = Number(text) * 1000;
  else if (HTTP_DATE.test(text)) wait = Date.parse(text) - now.getTime();
  else return undefined;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), maxMs);
}
