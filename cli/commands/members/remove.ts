import { Args } from "@oclif/core";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";

export default class MembersRemove extends ClientCommand {
  static override summary = "Remove a member with their access tokens, or take an invite back.";
  static override description =
    "Within a second no server takes the tokens. API keys that the member made stay, because applications use them: audit list --actor MEMBER shows which. The last owner cannot be removed.";
  static override examples = ["<%= config.bin %> <%= command.id %> mem_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    member: Args.string({ required: true, description: "Its id (mem_...), from members list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MembersRemove);
    const service = await this.client(TenantService, flags, "organization");
    await service.removeMember({ id: args.member });
    this.answer(
      () => ({ id: args.member }),
      () => `Removed: ${args.member}.`,
    );
  }
}
