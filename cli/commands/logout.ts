import { Flags } from "@oclif/core";
import { BaseCommand } from "../base-command.ts";
import { CliError } from "../cli-error.ts";
import { EMULATOR, profileNamed, readProfiles, writeProfiles } from "../profiles.ts";

export default class Logout extends BaseCommand {
  static override summary = "Forget the profile in use, with its key.";
  static override description =
    "The key itself stays good: `keys revoke` ends it. Afterwards commands use the emulator, until another profile is taken with `profiles use`.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --profile live",
  ];
  static override flags = {
    profile: Flags.string({ description: "This one. Default: the one in use.", env: "USAGEFLOW_PROFILE" }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Logout);
    const all = await readProfiles((words) => this.say(words));
    const name = flags.profile ?? all.current;
    if (name === "" || name === EMULATOR) {
      throw new CliError("not_found", "no profile is in use", { hint: "See: usageflow profiles list" });
    }
    const { url } = profileNamed(all, name);
    delete all.profiles[name];
    await writeProfiles({ ...all, current: all.current === name ? "" : all.current });
    this.answer(
      () => ({ profile: name, url }),
      () => `Forgotten: profile ${name}, ${url}.`,
    );
  }
}
