import { BaseCommand } from "../../base-command.ts";
import { findEmulator, giveOrder } from "../../emulator/control.ts";
import { nameFlag } from "../../emulator/name-flag.ts";

export default class EmulatorReset extends BaseCommand {
  static override summary = "Let a running emulator begin anew, as it was when it was started.";
  static override description =
    "Everything that happened is gone. The URL, the key and the webhook secret stay, the clock stands where it stood in the beginning, and the catalog and the seed that it was started with are there again. It takes about half a second. Snapshots stay.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorReset);
    const emulator = await findEmulator(flags.name, (words) => this.say(words));
    await giveOrder(emulator, "reset", {});
    this.answer(
      () => ({ url: emulator.url, reset: true }),
      () => `The emulator at ${emulator.url} begins anew.`,
    );
  }
}
