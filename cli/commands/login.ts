import { CliError } from "../cli-error.ts";
import { ClientCommand } from "../client-command.ts";
import { httpUrl } from "../http-url.ts";
import { parseProfileName, profilesFile, readProfiles, writeProfiles } from "../profiles.ts";
import { readSecret } from "../read-secret.ts";
import { whoAmI, whoAmIText } from "../who-am-i.ts";

const DEFAULT_NAME = "default";

export default class Login extends ClientCommand {
  static override summary =
    "Store a server and an API key or access token for it as a profile, and use it from now on.";
  static override description =
    "The key or token is asked for, or read from stdin, and checked before it is stored. The file is yours alone (mode 0600). A member's access token (uf_pat_...) opens the live and the test tenant: --tenant says which of them the profile is for. Flags and the variables USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_TENANT go before the profile.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com",
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --profile live < key.txt",
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --tenant test < token.txt",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(Login);
    const all = await readProfiles((words) => this.say(words));
    const name = parseProfileName(flags.profile ?? (all.current || DEFAULT_NAME));
    const url = this.urlOf(flags.url ?? all.profiles[name]?.url);
    const apiKey = flags["api-key"] ?? (await readSecret(`API key or access token for ${url}: `));
    if (apiKey === "") throw new CliError("usage", "no API key and no access token was given");
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
    this.say(`${isNew ? "Stored" : "Replaced"} in ${profilesFile()}. Commands use this profile now.`);
  }

  private urlOf(given: string | undefined): string {
    const hint = "Give it with --url, such as --url https://billing.example.com.";
    if (given === undefined) throw new CliError("usage", "which server?", { hint });
    const url = httpUrl(given);
    if (!url) throw new CliError("usage", `"${given}" is no http or https URL`, { hint });
    const { protocol, hostname } = new URL(url);
    if (protocol === "http:" && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
      this.say(`${url} is not encrypted: whoever is on the way sees the key.`);
    }
    return url;
  }
}
