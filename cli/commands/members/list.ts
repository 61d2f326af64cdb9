import { MemberSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { memberColumns } from "../../output/member.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class MembersList extends ClientCommand {
  static override summary = "List the members of the organization, and who is invited.";
  static override description = "In the order in which they were invited. With a member's access token.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(MembersList);
    const service = await this.client(TenantService, flags, "organization");
    const found = await readPages(
      flags,
      (page) => service.listMembers(page),
      (answer) => answer.members,
    );
    this.answerList("members", MemberSchema, found, memberColumns);
  }
}
