import { Flags } from "@oclif/core";
import { systemClock } from "../../server/clock.ts";
import { readConfig } from "../../server/config.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { BaseCommand } from "../base-command.ts";
import { CliError } from "../cli-error.ts";
import { facts } from "../output/table.ts";
import { ownerUrlFlag, ownerUrlOf } from "../owner-url.ts";

/** PostgreSQL's code for a table that is not there. */
const UNDEFINED_TABLE = "42P01";

export default class Init extends BaseCommand {
  static override summary = "Make an organization on a migrated database, and show its two API keys once.";
  static override description =
    "An organization has a live tenant and a test tenant; each key is its tenant's owner. The environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER: those that the servers have.";
  static override examples = ["<%= config.bin %> <%= command.id %> --organization Acme"];
  static override flags = {
    organization: Flags.string({ description: "Its name.", required: true }),
    "owner-url": ownerUrlFlag,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Init);
    const ownerUrl = ownerUrlOf(flags);
    const roles = { DATABASE_URL: ownerUrl, USAGEFLOW_WORKER_DATABASE_URL: ownerUrl }; // needed by servers only
    const parts = { secrets: createSecrets(readConfig({ ...roles, ...process.env })), clock: systemClock };
    const { live, test } = await initOrganization(ownerUrl, parts, { name: flags.organization }).catch((error) => {
      if (error.code !== UNDEFINED_TABLE) throw error;
      const hint = "Run first, with the same --owner-url: usageflow migrate";
      throw new CliError("failed_precondition", "the database has no schema yet", { hint }, error);
    });
    this.answer(
      () => ({ liveKey: live.secret, testKey: test.secret }),
      () => facts({ "Live key": live.secret, "Test key": test.secret }),
    );
    this.say("Keep the keys now: they are not shown again.");
  }
}
