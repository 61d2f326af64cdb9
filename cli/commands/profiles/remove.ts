import { Args } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { profileNamed, readProfiles, writeProfiles } from "../../profiles.ts";

export default class ProfilesRemove extends BaseCommand {
  static override summary = "Forget a profile, with its key.";
  static override description = "The key itself stays good: `keys revoke` ends it.";
  static override examples = ["<%= config.bin %> <%= command.id %> staging"];
  static override args = { profile: Args.string({ required: true, description: "Its name." }) };

  override async run(): Promise<void> {
    const { args } = await this.parse(ProfilesRemove);
    const all = await readProfiles((words) => this.say(words));
    const { url } = profileNamed(all, args.profile);
    delete all.profiles[args.profile];
    await writeProfiles({ ...all, current: all.current === args.profile ? "" : all.current });
    this.answer(
      () => ({ profile: args.profile, url }),
      () => `Forgotten: profile ${args.profile}, ${url}.`,
    );
  }
}
