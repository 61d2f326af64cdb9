import { Args, Flags } from "@oclif/core";
import { systemClock } from "../../../server/clock.ts";
import { formatId } from "../../../server/id.ts";
import { type NamedOrganization, recoverOrganization } from "../../../server/tenant/recover-organization.ts";
import { CliError } from "../../cli-error.ts";
import { DatabaseCommand } from "../../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../../database-url.ts";
import { facts } from "../../output/table.ts";

export default class OrganizationRecover extends DatabaseCommand {
  static override summary = "Make a person an owner, on the database itself, and show their access token once.";
  static override description =
    "For an organization that was made before there were members, or whose owners have no token left. The organization's audit log tells of it. The environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER: those that the servers have.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> ada@example.com",
    "<%= config.bin %> <%= command.id %> ada@example.com --organization org_01K0J1ZD8Q5x2nS7mXvTf3",
  ];
  static override args = { email: Args.string({ required: true, description: "The person's address." }) };
  static override flags = {
    organization: Flags.string({ description: "Its id (org_...), where there are several." }),
    "owner-url": ownerUrlFlag,
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(OrganizationRecover);
    const ownerUrl = ownerUrlOf(flags);
    const parts = { secrets: this.environmentSecrets(), clock: systemClock };
    if (!/^[^\s@]+@[^\s@]+$/.test(args.email)) throw new CliError("usage", `"${args.email}" is no address`);
    const made = await recoverOrganization(ownerUrl, parts, args.email, (all) => chosen(all, flags.organization));
    const organization = formatId("org", made.organization.id);
    const owner = formatId("mem", made.memberId);
    this.answer(
      () => ({ organization, owner, email: made.email, token: made.secret }),
      () => facts({ Organization: made.organization.name, Id: organization, Owner: made.email, Token: made.secret }),
    );
    this.say("Keep the token now: it is not shown again.");
  }
}

function chosen(all: readonly NamedOrganization[], id: string | undefined): NamedOrganization {
  const found = all.filter((one) => id === undefined || formatId("org", one.id) === id);
  if (found.length === 1) return found[0] as NamedOrganization;
  const hint = all.map((one) => `${formatId("org", one.id)}  ${one.name}`).join("\n");
  if (id !== undefined) throw new CliError("not_found", `there is no organization "${id}"`, { hint });
  if (all.length === 0) throw new CliError("not_found", "there is no organization: make one with usageflow init");
  throw new CliError("usage", "which organization? Say it with --organization", { hint });
}
