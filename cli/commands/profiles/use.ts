import { Args } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { EMULATOR, profileNamed, readProfiles, writeProfiles } from "../../profiles.ts";

export default class ProfilesUse extends BaseCommand {
  static override summary = "Take the profile that commands use from now on.";
  static override description = "The name emulator stands for the emulator that was started last.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> live",
    "<%= config.bin %> <%= command.id %> emulator",
  ];
  static override args = { profile: Args.string({ required: true, description: "Its name." }) };

  override async run(): Promise<void> {
    const { args } = await this.parse(ProfilesUse);
    const all = await readProfiles((words) => this.say(words));
    const url = args.profile === EMULATOR ? "" : profileNamed(all, args.profile).url;
    await writeProfiles({ ...all, current: args.profile });
    this.answer(
      () => ({ profile: args.profile, url }),
      () => `In use: ${args.profile === EMULATOR ? "the emulator" : `profile ${args.profile}, ${url}`}.`,
    );
  }
}
