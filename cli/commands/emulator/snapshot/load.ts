import { Args } from "@oclif/core";
import { BaseCommand } from "../../../base-command.ts";
import { findEmulator, giveOrder } from "../../../emulator/control.ts";
import { nameFlag } from "../../../emulator/name-flag.ts";
import { snapshotFolder } from "../../../emulator/snapshot-folder.ts";

export default class EmulatorSnapshotLoad extends BaseCommand {
  static override summary = "Let a running emulator go on from a snapshot.";
  static override description =
    "What it held before is gone, unless that is a snapshot too. The URL stays. The key and the webhook secret are those of the snapshot: the same, when it was saved by this emulator. Webhooks go where this emulator sends them.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> before-upgrade",
    "<%= config.bin %> <%= command.id %> ./fixtures/month-end --json",
  ];
  static override args = {
    snapshot: Args.string({ description: "A name, or the path of a folder.", required: true }),
  };
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EmulatorSnapshotLoad);
    const emulator = await findEmulator(flags.name, (words) => this.say(words));
    const { keysChanged } = await giveOrder(emulator, "load", { from: snapshotFolder(args.snapshot) });
    if (keysChanged) this.say("The key and the webhook secret are others now: usageflow emulator env");
    this.answer(
      () => ({ url: emulator.url, keysChanged }),
      () => `The emulator at ${emulator.url} goes on from ${args.snapshot}.`,
    );
  }
}
