import { Args } from "@oclif/core";
import { type Organization, OrganizationSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { confirm, yesFlag } from "../../ask.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { printable, time } from "../../output/text.ts";

export default class OrganizationDelete extends ClientCommand {
  static override summary = "Delete the organization, with all that its tenants hold, after a waiting time.";
  static override description =
    `Owners may. Until the time that it answers all goes on as before: export what has to be kept (usageflow export, of both tenants), or take it back with organization cancel-deletion. Then keys and tokens are refused, no webhook is sent any more, and all of it is deleted, for good.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> Acme",
    "<%= config.bin %> <%= command.id %> Acme --yes --json",
  ];
  static override args = {
    name: Args.string({ required: true, description: "The organization's name, to be sure that it is this one." }),
  };
  static override flags = { yes: yesFlag };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(OrganizationDelete);
    const service = await this.client(TenantService, flags, "organization");
    await confirm(`Delete ${printable(args.name)} with both its tenants and all that they hold?`, flags.yes);
    const organization = (await service.deleteOrganization({ name: args.name })).organization as Organization;
    this.answerOne(OrganizationSchema, organization, () =>
      facts({ Organization: organization.name, Id: organization.id, "Deleted after": time(organization.deleteAfter) }),
    );
    this.say("Until then all goes on. organization cancel-deletion takes it back.");
  }
}
