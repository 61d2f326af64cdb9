import { CliError } from "../cli-error.ts";
import { ClientCommand } from "../client-command.ts";
import { httpUrl, isLocalHost } from "../http-url.ts";
import { parseProfileName, profilesFile, readProfiles, writeProfiles } from "../profiles.ts";
import { readSecret } from "../read-secret.ts";
import { typed } from "../settings.ts";
import { whoAmI, whoAmIText } from "../who-am-i.ts";

const DEFAULT_NAME = "default";
const VARIABLES = ["USAGEFLOW_URL", "USAGEFLOW_API_KEY", "USAGEFLOW_TENANT"];

export default class Login extends ClientCommand {
  static override summary =
    "Store a server and an API key or access token for it as a profile, and use it from now on.";
  static override description =
    "The server is that of --url, else of a profile that is named, else of USAGEFLOW_URL, else of the profile in use. The key or token is that of --api-key, else it is asked for, or read from stdin; USAGEFLOW_API_KEY is not taken. It is checked before it is stored. The file is yours alone (mode 0600). A member's access token (uf_pat_...) opens the live and the test tenant: --tenant says which of them the profile is for. Flags and the variables USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_TENANT go before the profile.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com",
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --profile live < key.txt",
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --tenant test < token.txt",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(Login);
    const all = await readProfiles((words) => this.say(words));
    const name = parseProfileName(flags.profile ?? (all.current || DEFAULT_NAME));
    const url = this.urlOf(this.chosen(flags, name, all.profiles[name]?.url));
    const apiKey = await this.keyOf(flags["api-key"], url);
    const tenant = flags.tenant ?? "";
    const who = await whoAmI({ url, apiKey, tenant, profile: name });
    const isNew = !Object.hasOwn(all.profiles, name);
    all.profiles[name] = { url, apiKey, organization: who.organization, kind: who.kind, ...(tenant && { tenant }) };
    await writeProfiles({ ...all, current: name });
    this.answer(
      () => who,
      () => whoAmIText(who),
    );
    if (who.member !== "" && who.tenant === "")
      this.say("It has no tenant: give one with --tenant live or --tenant test.");
    this.say(`${isNew ? "Stored" : "Replaced"} in ${profilesFile()}. ${usedNow(name)}`);
  }

  /** Never the variable's: who logs in where one is set would store, unasked, the key of another server. */
  private async keyOf(given: string | undefined, url: string): Promise<string> {
    const isTyped = typed(this.argv, "api-key");
    const apiKey = isTyped ? (given ?? "") : await readSecret(`API key or access token for ${url}: `);
    if (apiKey !== "") return apiKey;
    const hint = "Type it, send it to stdin, or give it with --api-key. USAGEFLOW_API_KEY is not stored.";
    throw new CliError("usage", "no API key and no access token was given", { hint });
  }

  /** What was typed, else the variable's unless a profile was typed, else the profile's. What nobody typed is said. */
  private chosen({ url }: { url: string | undefined }, name: string, stored: string | undefined): string | undefined {
    if (typed(this.argv, "url")) return url;
    const ofVariable = typed(this.argv, "profile") ? undefined : url;
    const used = ofVariable ?? stored ?? url;
    if (used === undefined) return undefined;
    const isStored = ofVariable === undefined && stored !== undefined;
    const before = !isStored && stored !== undefined && stored !== used ? `; profile ${name} had ${stored}` : "";
    this.say(`The server is that of ${isStored ? `profile ${name}` : "USAGEFLOW_URL"}: ${used}${before}.`);
    return used;
  }

  private urlOf(given: string | undefined): string {
    const hint = "Give it with --url, such as --url https://billing.example.com.";
    if (given === undefined) throw new CliError("usage", "which server?", { hint });
    const url = httpUrl(given);
    if (!url) throw new CliError("usage", `"${given}" is no http or https URL`, { hint });
    const { protocol, hostname } = new URL(url);
    if (protocol === "http:" && !isLocalHost(hostname)) {
      this.say(`${url} is not encrypted: whoever is on the way sees the key.`);
    }
    return url;
  }
}

/** What goes before a profile that was just stored is said at once: else the next command seems not to know of it. */
function usedNow(name: string): string {
  const set = VARIABLES.filter((variable) => process.env[variable]);
  if (set.length === 0) return "Commands use this profile now.";
  const before = `${set.join(" and ")} ${set.length === 1 ? "is set and goes" : "are set and go"} before it`;
  return `${before}: take it with --profile ${name}, or for good after: unset ${set.join(" ")}`;
}
