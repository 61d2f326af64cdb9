import { CliError } from "./cli-error.ts";
import { httpUrl } from "./http-url.ts";
import { type Locator, readLocators } from "./locator.ts";
import { EMULATOR, type Profile, profileNamed, readProfiles } from "./profiles.ts";

/** Which server a command calls, and as whom. */
export interface Settings {
  url: string;
  apiKey: string;
  /** The tenant that a member's access token is used at: `live`, `test` or `ten_...`. Empty: not said. */
  tenant: string;
  /** Name of the profile that one of the two came from; `emulator`; empty for neither. */
  profile: string;
}

/** The flags that every command has which calls a server. */
export interface ServerFlags {
  url: string | undefined;
  "api-key": string | undefined;
  tenant: string | undefined;
  profile: string | undefined;
}

/** What a command is about: a tenant, or the organization, which only members may ask. */
export type SettingsFor = "tenant" | "organization";

/**
 * What flags say, else `USAGEFLOW_URL` and `USAGEFLOW_API_KEY` (oclif fills the flags from them), else the profile in
 * use, else the emulator of this folder, else the one that was started last; `say` is told where that may not be meant. A
 * key of a profile or of an emulator goes to its own URL only.
 */
export async function readSettings(
  given: ServerFlags,
  argv: readonly string[],
  say: (words: string) => void,
  about: SettingsFor = "tenant",
): Promise<Settings> {
  const flags = overVariables(given, argv);
  const emulators = await readLocators();
  const named = await profileInUse(flags, say);
  const isTyped = typed(argv, "api-key");
  const url = urlOf(isTyped, flags, named?.profile, emulators);
  if (flags.url === undefined) sayWhichOf({ url, named, emulators }, say);
  const ofProfile = named && httpUrl(named.profile.url) === url ? named.profile.apiKey : undefined;
  const emulator = emulators.find((one) => one.url === url);
  const ofEmulator = about === "tenant" ? emulator?.apiKey : emulator?.accessToken;
  const apiKey = isTyped ? flags["api-key"] : keyOf(about, flags["api-key"], ofProfile, ofEmulator);
  if (!apiKey) {
    const hint = "Give one with --api-key or USAGEFLOW_API_KEY, or log in: usageflow login";
    throw new CliError("unauthenticated", `no API key for ${url}`, { hint });
  }
  const ofToken = apiKey === ofProfile ? named?.profile.tenant : undefined;
  const tenant = about === "tenant" ? (flags.tenant ?? ofToken ?? "") : "";
  if (ofProfile !== undefined && (flags.url === undefined || apiKey === ofProfile)) {
    return { url, apiKey, tenant, profile: named?.name ?? "" };
  }
  return { url, apiKey, tenant, profile: apiKey === ofEmulator ? EMULATOR : "" };
}

const TOKEN = /^uf_(?!live_|test_)/;

/**
 * What a command comes with where nobody typed it. To an organization a tenant's API key is of no use: another that is there
 * goes before it.
 */
function keyOf(about: SettingsFor, given: string | undefined, ...others: (string | undefined)[]): string | undefined {
  const known = [given, ...others].filter((key) => key !== undefined);
  return (about === "organization" ? known.find((key) => TOKEN.test(key)) : undefined) ?? known[0];
}

/** A profile that was typed goes before variables: those say what is usual, and it what is meant now. */
function overVariables(flags: ServerFlags, argv: readonly string[]): ServerFlags {
  if (!typed(argv, "profile")) return flags;
  return {
    profile: flags.profile,
    url: typed(argv, "url") ? flags.url : undefined,
    "api-key": typed(argv, "api-key") ? flags["api-key"] : undefined,
    tenant: typed(argv, "tenant") ? flags.tenant : undefined,
  };
}

/** Whether a flag stands on the command line: oclif fills it from its variable too. */
export function typed(argv: readonly string[], name: string): boolean {
  return argv.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
}

interface Named {
  name: string;
  profile: Profile;
}

async function profileInUse(flags: ServerFlags, say: (words: string) => void): Promise<Named | undefined> {
  if (flags.url !== undefined && flags["api-key"] !== undefined && flags.profile === undefined) return undefined;
  const all = await readProfiles(say);
  const name = flags.profile ?? all.current;
  return name === "" || name === EMULATOR ? undefined : { name, profile: profileNamed(all, name) };
}

function urlOf(
  hasKey: boolean,
  flags: ServerFlags,
  profile: Profile | undefined,
  emulators: readonly Locator[],
): string {
  const given = flags.url ?? profile?.url ?? emulators[0]?.url;
  if (given === undefined) {
    throw new CliError("unavailable", "no emulator is running, and no other server was named", {
      hint: hasKey
        ? "Give its URL with --url or USAGEFLOW_URL."
        : "Start one with: usageflow emulator start. Or give --url and --api-key, or log in to one: usageflow login",
    });
  }
  const url = httpUrl(given);
  if (url) return url;
  const hint = "Give one with --url or USAGEFLOW_URL.";
  throw new CliError("usage", `"${given}" is no http or https URL`, { hint });
}

interface Choice {
  url: string;
  named: Named | undefined;
  emulators: readonly Locator[];
}

function sayWhichOf({ url, named, emulators }: Choice, say: (words: string) => void): void {
  if (named && emulators.length > 0) {
    say(`Used is profile ${named.name}, ${url}. An emulator is running too: --profile ${EMULATOR} takes it.`);
  } else if (!named && emulators.length > 1) {
    say(`${emulators.length} emulators are running. Used is ${url}, of ${emulators[0]?.folder}; --url takes another.`);
  }
}
