import { Args } from "@oclif/core";
import { type AccessToken, AccessTokenSchema } from "../../../gen/usageflow/v1/organization_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { time } from "../../output/text.ts";

export default class TokensRevoke extends ClientCommand {
  static override summary = "Revoke an access token for good.";
  static override description =
    "Your own, or one of a member whom you may change. Within a second no server takes it. Revoking it again changes nothing.";
  static override examples = ["<%= config.bin %> <%= command.id %> tok_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = { token: Args.string({ required: true, description: "Its id (tok_...), from tokens list." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(TokensRevoke);
    const service = await this.client(TenantService, flags, "organization");
    const token = (await service.revokeAccessToken({ id: args.token })).accessToken as AccessToken;
    this.answerOne(AccessTokenSchema, token, () =>
      facts({ Id: token.id, Name: token.name, Revoked: time(token.revokedAt) }),
    );
  }
}
