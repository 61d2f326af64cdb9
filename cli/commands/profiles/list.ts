import { BaseCommand } from "../../base-command.ts";
import type { Column } from "../../output/table.ts";
import { cutTo, listFlags } from "../../pages.ts";
import { readProfiles } from "../../profiles.ts";

interface Shown {
  name: string;
  url: string;
  organization: string;
  kind: string;
  inUse: boolean;
}

const columns: Column<Shown>[] = [
  { title: "PROFILE", value: (profile) => profile.name },
  { title: "URL", value: (profile) => profile.url, cut: true },
  { title: "ORGANIZATION", value: (profile) => profile.organization, cut: true },
  { title: "KIND", value: (profile) => profile.kind },
  { title: "IN USE", value: (profile) => (profile.inUse ? "yes" : "") },
];

export default class ProfilesList extends BaseCommand {
  static override summary = "List the servers that were logged in to.";
  static override description = "A profile is a server and a key for it. Keys are not shown. No server is asked.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ProfilesList);
    const { current, profiles } = await readProfiles((words) => this.say(words));
    const shown = Object.entries(profiles).map(
      ([name, { url, organization, kind }]): Shown => ({ name, url, organization, kind, inUse: name === current }),
    );
    this.answerItems("profiles", cutTo(flags, shown), columns, (profile) => ({ ...profile }));
  }
}
