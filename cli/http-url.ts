/** Whether a URL's host is this machine. */
export function isLocalHost(hostname: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** A URL as it is compared and called: without a slash at its end. Undefined for what is no http or https URL. */
export function httpUrl(text: string): string | undefined {
  const url = URL.parse(text);
  return url && /^https?:$/.test(url.protocol) ? url.href.replace(/\/+$/, "") : undefined;
}
