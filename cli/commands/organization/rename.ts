import { Args } from "@oclif/core";
import { type Organization, OrganizationSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";

export default class OrganizationRename extends ClientCommand {
  static override summary = "Give the organization another name.";
  static override description = "Owners may. Invoices that are final keep what they say.";
  static override examples = ['<%= config.bin %> <%= command.id %> "Acme Incorporated"'];
  static override args = { name: Args.string({ required: true, description: "The new name." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(OrganizationRename);
    const service = await this.client(TenantService, flags, "organization");
    const organization = (await service.renameOrganization({ name: args.name })).organization as Organization;
    this.answerOne(OrganizationSchema, organization, () =>
      facts({ Organization: organization.name, Id: organization.id }),
    );
  }
}
