import { Flags } from "@oclif/core";
import type { AccessToken } from "../../../gen/usageflow/v1/organization_pb.ts";
import { CreateAccessTokenResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { madeTokenText } from "../../output/member.ts";
import { spanFlag } from "../../time.ts";

export default class TokensCreate extends ClientCommand {
  static override summary = "Make an access token of your own, and show it once.";
  static override description =
    "It may do what you may, at both tenants, and works as long as it says, but no longer than the whole life of the token that makes it. Renew yours before it expires.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --name laptop",
    "<%= config.bin %> <%= command.id %> --name script --expires-in 1d --json",
  ];
  static override flags = {
    name: Flags.string({ description: "What it is for." }),
    "expires-in": spanFlag({ description: "How long it works, at most 366d. Default: 90d." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(TokensCreate);
    const service = await this.client(TenantService, flags, "organization");
    const made = await service.createAccessToken({
      name: flags.name ?? "",
      ...(flags["expires-in"] === undefined ? {} : { expiresIn: { seconds: flags["expires-in"] } }),
    });
    this.answerOne(CreateAccessTokenResponseSchema, made, () =>
      madeTokenText(made.accessToken as AccessToken, made.secret),
    );
    this.say("Keep the token now: it is not shown again.");
  }
}
