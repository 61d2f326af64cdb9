import { setTimeout as sleep } from "node:timers/promises";
import { BaseCommand } from "../../base-command.ts";
import { CliError } from "../../cli-error.ts";
import { findEmulator, giveOrder } from "../../emulator/control.ts";
import { nameFlag } from "../../emulator/name-flag.ts";
import { isAlive } from "../../locator.ts";

const ENDED_WITHIN_MS = 30_000;
const POLL_MS = 20;

export default class EmulatorStop extends BaseCommand {
  static override summary = "Stop a running emulator, and wait until it has ended.";
  static override description =
    "It ends as after a Ctrl-C: what --data keeps is kept, and --export-on-exit saves its snapshot first.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --name billing",
  ];
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorStop);
    const emulator = await findEmulator(flags.name, (words) => this.say(words));
    await giveOrder(emulator, "stop", {});
    for (const began = performance.now(); await isAlive(emulator); await sleep(POLL_MS)) {
      if (performance.now() - began < ENDED_WITHIN_MS) continue;
      throw new CliError("deadline_exceeded", `the emulator was told to stop, and process ${emulator.pid} still runs`);
    }
    this.answer(
      () => ({ url: emulator.url, stopped: true }),
      () => `Stopped the emulator at ${emulator.url}.`,
    );
  }
}
