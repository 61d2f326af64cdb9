import { CliError } from "./cli-error.ts";
import { httpUrl } from "./http-url.ts";
import { readLocators } from "./locator.ts";

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
 * What the flags say (oclif fills them from `USAGEFLOW_URL` and `USAGEFLOW_API_KEY`), else the emulator that was started
 * last; `say` is told which one where there are several. An emulator's key goes to its own URL only.
 */
export async function readSettings(flags: ServerFlags, say: (words: string) => void): Promise<Settings> {
  const emulators = await readLocators();
  const given = flags.url ?? emulators[0]?.url;
  if (given === undefined) {
    throw new CliError("unavailable", "no emulator is running, and no other server was named", {
      hint: "Start one with: usageflow emulator start. Or give --url and --api-key.",
    });
  }
  const url = httpUrl(given);
  if (!url) {
    throw new CliError("usage", `"${given}" is no http or https URL`, {
      hint: "Give one with --url or USAGEFLOW_URL.",
    });
  }
  if (flags.url === undefined && emulators.length > 1) {
    say(`${emulators.length} emulators are running. Used is ${url}, which was started last; --url takes another.`);
  }
  const apiKey = flags["api-key"] ?? emulators.find((emulator) => emulator.url === url)?.apiKey;
  if (!apiKey) {
    throw new CliError("unauthenticated", `no API key for ${url}`, {
      hint: "Give one with --api-key or USAGEFLOW_API_KEY.",
    });
  }
  return { url, apiKey };
}
