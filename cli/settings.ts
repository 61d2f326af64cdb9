import { CliError } from "./cli-error.ts";
import { readLocator } from "./locator.ts";

/** Which server a command calls, and as whom. */
export interface Settings {
  url: string;
  apiKey: string;
}

/** The flags that every command has which calls a server. */
export interface ServerFlags {
  url: string | undefined;
  "api-key": string | undefined;
}

/**
 * What the flags say (oclif fills them from `USAGEFLOW_URL` and `USAGEFLOW_API_KEY`), else the running emulator. Its key
 * goes to its own URL only.
 */
export async function readSettings(flags: ServerFlags): Promise<Settings> {
  const emulator = await readLocator();
  const url = flags.url ?? emulator?.url;
  if (!url) {
    throw new CliError("unavailable", "no emulator is running, and no other server was named", {
      hint: "Start one with: usageflow emulator start. Or give --url and --api-key.",
    });
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new CliError("usage", `"${url}" is no http or https URL`, { hint: "Give one with --url or USAGEFLOW_URL." });
  }
  const apiKey = flags["api-key"] ?? (url === emulator?.url ? emulator.apiKey : undefined);
  if (!apiKey) {
    throw new CliError("unauthenticated", `no API key for ${url}`, {
      hint: "Give one with --api-key or USAGEFLOW_API_KEY.",
    });
  }
  return { url, apiKey };
}
