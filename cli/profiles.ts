import { mkdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CliError } from "./cli-error.ts";
import { writeWhole } from "./write-file.ts";

// Servers that somebody logged in to, with their keys: a file that nobody else may read.

/** The name that stands for the emulator that was started last, whichever that is. */
export const EMULATOR = "emulator";

/** A server, and as whom to call it. */
export interface Profile {
  url: string;
  apiKey: string;
  /** Name of the organization, when it was logged in to. */
  organization: string;
  /** `live` or `test`; empty for an access token with no tenant. */
  kind: string;
  /** The tenant that an access token is used at. Left out: none was said, or it is an API key. */
  tenant?: string;
}

/** All profiles, and which of them commands use: `emulator` or empty for none of them. */
export interface Profiles {
  current: string;
  profiles: Record<string, Profile>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const OWN_FILE = 0o600;
const OTHERS = 0o077;

/** Where the profiles are. */
export function profilesFile(): string {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  return join(config, "usageflow", "profiles.json");
}

/** The profiles; none when there is no file. `say` hears of a file that others may read. */
export async function readProfiles(say: (words: string) => void = () => {}): Promise<Profiles> {
  const file = profilesFile();
  const text = await readFile(file, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw new CliError("failed", `${file}: ${error.code}`, {}, error);
  });
  if (text === undefined) return { current: "", profiles: {} };
  if (process.platform !== "win32" && ((await stat(file)).mode & OTHERS) !== 0) {
    say(`${file} holds keys, and others may read it. Close it with: chmod 600 ${file}`);
  }
  const read = parsed(text);
  if (read) return read;
  const hint = "Remove it, and log in again with: usageflow login";
  throw new CliError("failed", `${file} cannot be read`, { hint }); // not what is in it: that is keys
}

function parsed(text: string): Profiles | undefined {
  try {
    const { current, profiles } = JSON.parse(text) as Profiles;
    const whole = ({ url, apiKey, organization, kind }: Profile) =>
      [url, apiKey, organization, kind].every((value) => typeof value === "string");
    return typeof current === "string" && Object.values(profiles).every(whole) ? { current, profiles } : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the profiles, whole or not at all. */
export async function writeProfiles(profiles: Profiles): Promise<void> {
  const file = profilesFile();
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeWhole(file, `${JSON.stringify(profiles, null, 2)}\n`, OWN_FILE);
}

/** The profile with a name, which must be there. */
export function profileNamed({ profiles }: Profiles, name: string): Profile {
  const found = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (found) return found;
  const names = Object.keys(profiles);
  const hint = names.length > 0 ? `There are: ${names.join(", ")}.` : "Make one with: usageflow login";
  throw new CliError("not_found", `there is no profile "${name}"`, { hint });
}

/** A name that a profile may have. */
export function parseProfileName(name: string): string {
  if (name === EMULATOR) {
    throw new CliError("usage", `"${EMULATOR}" stands for the emulator that was started last: take another name`);
  }
  if (NAME.test(name)) return name;
  throw new CliError("usage", `"${name}" is no name of a profile: write letters, digits, _ . and -, at most 64`);
}
