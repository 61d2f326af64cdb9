import { Args, Flags } from "@oclif/core";
import type { Member } from "../../../gen/usageflow/v1/organization_pb.ts";
import { InviteMemberResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { memberText } from "../../output/member.ts";
import { MEMBER_ROLES, memberRoleNames } from "../../role-flag.ts";
import { spanFlag } from "../../time.ts";

export default class MembersInvite extends ClientCommand {
  static override summary = "Invite a person, and show the code of the invite once.";
  static override description =
    "Nothing is sent: hand the code over. Whoever has it becomes the member, once, with: usageflow members accept. Inviting a person again who has not come yet makes a new code. No role may do more than your own.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> ada@example.com --role developer",
    "<%= config.bin %> <%= command.id %> ada@example.com --role admin --expires-in 1d --json",
  ];
  static override args = { email: Args.string({ required: true, description: "The person's address." }) };
  static override flags = {
    role: Flags.option({ options: memberRoleNames, description: "What the person may do.", required: true })(),
    "expires-in": spanFlag({ description: "How long the code can be used, at most 30d. Default: 7d." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MembersInvite);
    const service = await this.client(TenantService, flags, "organization");
    const made = await service.inviteMember({
      email: args.email,
      role: MEMBER_ROLES[flags.role],
      ...(flags["expires-in"] === undefined ? {} : { expiresIn: { seconds: flags["expires-in"] } }),
    });
    this.answerOne(InviteMemberResponseSchema, made, () => memberText(made.member as Member, made.code));
    this.say("Hand the code over now: it is not shown again.");
  }
}
