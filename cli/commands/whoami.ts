import { ClientCommand } from "../client-command.ts";
import { whoAmI, whoAmIText } from "../who-am-i.ts";

export default class WhoAmICommand extends ClientCommand {
  static override summary = "Show which server commands call, for which tenant, and what the key may do.";
  static override description =
    "The URL and the key come from flags, else from USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_TENANT, else from the profile in use, else from the emulator that was started last. The key itself is not shown.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --profile live --json",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(WhoAmICommand);
    const who = await whoAmI(await this.settings(flags));
    this.answer(
      () => who,
      () => whoAmIText(who),
    );
  }
}
