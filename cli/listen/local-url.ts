import { isIPv4 } from "node:net";
import { CliError } from "../cli-error.ts";
import { httpUrl } from "../http-url.ts";

/** The URL that events are forwarded to. Of another machine only where that was asked for: events are customers' data. */
export function localUrl(text: string, allowRemote: boolean): string {
  const href = httpUrl(/^\d+$/.test(text) ? `http://localhost:${text}` : text);
  if (!href) {
    throw new CliError("usage", `"${text}" is no http or https URL`, {
      hint: "Write it like http://localhost:4000/webhooks.",
    });
  }
  if (allowRemote || isLoopback(new URL(href).hostname)) return href;
  throw new CliError("usage", `${href} is on another machine`, {
    hint: "With --allow-remote events are forwarded there. For a server that is reachable, make an endpoint: endpoints create URL",
  });
}

function isLoopback(host: string): boolean {
  return (
    host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || (isIPv4(host) && host.startsWith("127."))
  );
}
