import { Flags } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { findEmulator } from "../../emulator/control.ts";
import { nameFlag } from "../../emulator/name-flag.ts";
import { emulatorVariables, FORMATS, write } from "../../emulator/variables.ts";

export default class EmulatorEnv extends BaseCommand {
  static override summary = "Print the variables with which an application finds the emulator.";
  static override description =
    "USAGEFLOW_URL, USAGEFLOW_API_KEY and USAGEFLOW_WEBHOOK_SECRET: as a .env file, as commands for a shell, or as JSON.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> > .env.local",
    'eval "$(<%= config.bin %> <%= command.id %> --format shell)"',
    "<%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = {
    format: Flags.option({ options: FORMATS, default: "dotenv" as const, description: "How to write them." })(),
    name: nameFlag,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorEnv);
    const variables = emulatorVariables(await findEmulator(flags.name, (words) => this.say(words)));
    this.answer(
      () => variables,
      () => write(variables, flags.format),
    );
  }
}
