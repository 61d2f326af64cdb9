import { httpUrl, isLocalHost } from "./http-url.ts";
import { type Locator, readLocators } from "./locator.ts";
import { typed } from "./settings.ts";

/**
 * What to do when a call failed because the shell still has the variables of an emulator that is gone, while one that was
 * started since runs here. Undefined: that is not why.
 */
export async function staleVariablesHint(code: string, argv: readonly string[]): Promise<string | undefined> {
  if (typed(argv, "profile")) return undefined;
  const emulators = await readLocators();
  if (code === "unauthenticated") return hint("USAGEFLOW_API_KEY", otherKey(emulators, argv), emulators);
  if (code === "unavailable") return hint("USAGEFLOW_URL", otherUrl(emulators, argv), emulators);
  return undefined;
}

function hint(stale: string, emulator: Locator | undefined, [first]: readonly Locator[]): string | undefined {
  if (!emulator) return undefined;
  const name = emulator === first ? "" : ` --name '${emulator.name}'`;
  const again = `eval "$(usageflow emulator env${name} --format shell)"`;
  return `${stale} is not that of the emulator that runs here. Take its variables again: ${again}`;
}

/** The emulator that was called, if its key is another than that of the variable. */
function otherKey(emulators: readonly Locator[], argv: readonly string[]): Locator | undefined {
  const { USAGEFLOW_API_KEY: key, USAGEFLOW_URL: usual } = process.env;
  if (!key || typed(argv, "api-key") || typed(argv, "url")) return undefined;
  const called = usual ? emulators.find(({ url }) => url === httpUrl(usual)) : emulators[0];
  return called && called.apiKey !== key && called.accessToken !== key ? called : undefined;
}

/** The emulator of this folder, if the variable names another port of this machine. */
function otherUrl(emulators: readonly Locator[], argv: readonly string[]): Locator | undefined {
  const url = URL.parse(process.env.USAGEFLOW_URL ?? "");
  if (!url || typed(argv, "url") || !isLocalHost(url.hostname)) return undefined;
  return emulators.some((one) => one.url === httpUrl(url.href)) ? undefined : emulators[0];
}
