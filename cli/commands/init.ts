import { Flags } from "@oclif/core";
import { systemClock } from "../../server/clock.ts";
import { DEFAULT_OWNER, initOrganization } from "../../server/tenant/init-organization.ts";
import { DatabaseCommand } from "../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../database-url.ts";
import { facts } from "../output/table.ts";

export default class Init extends DatabaseCommand {
  static override summary = "Make an organization on a migrated database, and show its keys once.";
  static override description =
    "An organization has a live tenant and a test tenant; each API key is its tenant's owner. The access token is that of its first member, who invites the others. The environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER: those that the servers have.";
  static override examples = ["<%= config.bin %> <%= command.id %> --organization Acme --owner ada@example.com"];
  static override flags = {
    organization: Flags.string({ description: "Its name.", required: true }),
    owner: Flags.string({ description: "Address of its first owner.", default: DEFAULT_OWNER }),
    "owner-url": ownerUrlFlag,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Init);
    const ownerUrl = ownerUrlOf(flags);
    const parts = { secrets: this.environmentSecrets(), clock: systemClock };
    const organization = { name: flags.organization, ownerEmail: flags.owner };
    const { live, test, owner, ownerToken } = await initOrganization(ownerUrl, parts, organization);
    this.answer(
      () => ({ liveKey: live.secret, testKey: test.secret, owner: owner.email, ownerToken }),
      () => facts({ "Live key": live.secret, "Test key": test.secret, Owner: owner.email, "Access token": ownerToken }),
    );
    this.say("Keep the keys and the token now: they are not shown again.");
  }
}
