import { Flags } from "@oclif/core";
import { AccessTokenSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { tokenColumns } from "../../output/member.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class TokensList extends ClientCommand {
  static override summary = "List access tokens, newest first, revoked and expired ones included.";
  static override description =
    "Your own, or those of a member whom you may change. The tokens themselves are not kept: only how they begin and end.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --member mem_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override flags = {
    member: Flags.string({ description: "Those of this member (mem_...). Default: your own." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(TokensList);
    const service = await this.client(TenantService, flags, "organization");
    const found = await readPages(
      flags,
      (page) => service.listAccessTokens({ memberId: flags.member ?? "", ...page }),
      (answer) => answer.accessTokens,
    );
    this.answerList("accessTokens", AccessTokenSchema, found, tokenColumns);
  }
}
