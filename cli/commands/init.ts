import { Flags } from "@oclif/core";
import { systemClock } from "../../server/clock.ts";
import { formatId } from "../../server/id.ts";
import { DEFAULT_OWNER, initOrganization } from "../../server/tenant/init-organization.ts";
import type { NamedOrganization } from "../../server/tenant/recover-organization.ts";
import { CliError } from "../cli-error.ts";
import { DatabaseCommand } from "../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../database-url.ts";
import { facts } from "../output/table.ts";

export default class Init extends DatabaseCommand {
  static override summary = "Make an organization on a migrated database, and show its keys once.";
  static override description =
    "An organization has a live tenant and a test tenant; each API key is its tenant's owner. The access token is that of its first member, who invites the others. The environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER: those that the servers have. Where there is an organization of this name already, --another has to say that a second one is meant.";
  static override examples = ["<%= config.bin %> <%= command.id %> --organization Acme --owner ada@example.com"];
  static override flags = {
    organization: Flags.string({ description: "Its name.", required: true }),
    owner: Flags.string({ description: "Address of its first owner.", default: DEFAULT_OWNER }),
    another: Flags.boolean({ description: "Make it even if there is one of this name." }),
    "owner-url": ownerUrlFlag,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Init);
    const ownerUrl = ownerUrlOf(flags);
    const parts = { secrets: this.environmentSecrets(), clock: systemClock };
    const organization = { name: flags.organization, ownerEmail: flags.owner };
    const made = await initOrganization(ownerUrl, parts, organization, (namesakes) => {
      if (namesakes.length > 0 && !flags.another) throw thereIs(namesakes);
    });
    const { live, test, owner, ownerToken } = made;
    this.answer(
      () => ({ liveKey: live.secret, testKey: test.secret, owner: owner.email, ownerToken }),
      () => facts({ "Live key": live.secret, "Test key": test.secret, Owner: owner.email, "Access token": ownerToken }),
    );
    this.say("Keep the keys and the token now: they are not shown again.");
  }
}

function thereIs(namesakes: readonly NamedOrganization[]): CliError {
  const [ids, name] = [namesakes.map(({ id }) => formatId("org", id)).join(", "), namesakes[0]?.name];
  const hint =
    "For its keys: usageflow keys create, or for a lost access token: usageflow organization recover. To make a second one: --another";
  return new CliError("already_exists", `there is an organization "${name}" already: ${ids}`, { hint });
}
