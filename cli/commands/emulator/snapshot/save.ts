import { Args } from "@oclif/core";
import { BaseCommand } from "../../../base-command.ts";
import { findEmulator, giveOrder } from "../../../emulator/control.ts";
import { nameFlag } from "../../../emulator/name-flag.ts";
import { snapshotFolder } from "../../../emulator/snapshot-folder.ts";

export default class EmulatorSnapshotSave extends BaseCommand {
  static override summary = "Save all that a running emulator holds, to go on from there again and again.";
  static override description =
    "A snapshot has the data, the clock, the key and the webhook secret. A mere name is kept with the user's state; a path is a folder of its own, for a repository or a colleague with the same PostgreSQL. One of the same name is replaced when the new one is whole: a save that is interrupted destroys nothing. The emulator stands still for about half a second.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> before-upgrade",
    "<%= config.bin %> <%= command.id %> ./fixtures/month-end",
  ];
  static override args = {
    snapshot: Args.string({ description: "A name, or the path of a folder.", required: true }),
  };
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EmulatorSnapshotSave);
    const emulator = await findEmulator(flags.name, (words) => this.say(words));
    const { folder } = await giveOrder(emulator, "save", { to: snapshotFolder(args.snapshot) });
    this.answer(
      () => ({ folder }),
      () => `Saved in ${folder}`,
    );
  }
}
