import { Args } from "@oclif/core";
import { type Member, MemberSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { memberText } from "../../output/member.ts";
import { MEMBER_ROLES, memberRoleNames } from "../../role-flag.ts";

export default class MembersRole extends ClientCommand {
  static override summary = "Give a member another role.";
  static override description =
    "Within a second every server knows. Neither the role before nor the new one may do more than your own, and the last owner stays one.";
  static override examples = ["<%= config.bin %> <%= command.id %> mem_01K0J1ZD8Q5x2nS7mXvTf3 admin"];
  static override args = {
    member: Args.string({ required: true, description: "Its id (mem_...), from members list." }),
    role: Args.string({ options: memberRoleNames, required: true, description: "What the member may do." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MembersRole);
    const service = await this.client(TenantService, flags, "organization");
    const member = (
      await service.changeMemberRole({ id: args.member, role: MEMBER_ROLES[args.role as keyof typeof MEMBER_ROLES] })
    ).member as Member;
    this.answerOne(MemberSchema, member, () => memberText(member));
  }
}
