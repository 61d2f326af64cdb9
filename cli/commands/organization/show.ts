import { RoleSchema } from "../../../gen/usageflow/v1/permission_pb.ts";
import { GetOrganizationResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { moment, time, word } from "../../output/text.ts";

export default class OrganizationShow extends ClientCommand {
  static override summary = "Show the organization, and who you are in it.";
  static override description = "With a member's access token (uf_pat_...): API keys know their tenant only.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    const { flags } = await this.parse(OrganizationShow);
    const service = await this.client(TenantService, flags, "organization");
    const answer = await service.getOrganization({});
    const { organization, member, accessToken } = answer;
    this.answerOne(GetOrganizationResponseSchema, answer, () =>
      facts({
        Organization: organization?.name ?? "",
        Id: organization?.id ?? "",
        Made: moment(organization?.createdAt),
        "Deleted after": time(organization?.deleteAfter),
        "You are": member?.email ?? "",
        Role: member ? word(RoleSchema, member.role) : "",
        "Your token": accessToken?.prefix ?? "",
        "Works until": time(accessToken?.expiresAt),
      }),
    );
  }
}
