/** A URL as it is compared and called: without a slash at its end. Undefined for what is no http or https URL. */
export function httpUrl(text: string): string | undefined {
  const url = URL.parse(text);
  return url && /^https?:$/.test(url.protocol) ? url.href.replace(/\/+$/, "") : undefined;
}
