import { type Organization, OrganizationSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";

export default class OrganizationCancelDeletion extends ClientCommand {
  static override summary = "Let the organization stay that is to be deleted.";
  static override description =
    "Owners may, until its time has come. Where nobody asked for a deletion, nothing changes.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    const { flags } = await this.parse(OrganizationCancelDeletion);
    const service = await this.client(TenantService, flags, "organization");
    const organization = (await service.cancelOrganizationDeletion({})).organization as Organization;
    this.answerOne(OrganizationSchema, organization, () =>
      facts({ Organization: organization.name, Id: organization.id }),
    );
    this.say("It stays.");
  }
}
