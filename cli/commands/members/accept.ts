import { Flags } from "@oclif/core";
import type { AccessToken, Member } from "../../../gen/usageflow/v1/organization_pb.ts";
import { AcceptInviteResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { madeTokenText, memberText } from "../../output/member.ts";
import { readSecret } from "../../read-secret.ts";
import { spanFlag } from "../../time.ts";

export default class MembersAccept extends ClientCommand {
  static override summary = "Take up an invite, and show your first access token once.";
  static override description =
    "The code is asked for, or read from stdin. It works once, and makes you a member. usageflow login stores the token.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --name Ada",
    "<%= config.bin %> <%= command.id %> --url https://billing.example.com --expires-in 30d < code.txt",
  ];
  static override flags = {
    code: Flags.string({ description: "The code of the invite. Default: asked for, or read from stdin." }),
    name: Flags.string({ description: "Your name, for the others." }),
    "expires-in": spanFlag({ description: "How long the token works, at most 366d. Default: 90d." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(MembersAccept);
    const apiKey = flags.code ?? (await readSecret("Code of the invite: "));
    if (apiKey === "") throw new CliError("usage", "no code was given");
    const service = await this.clientWith(apiKey, TenantService, flags);
    const made = await service.acceptInvite({
      name: flags.name ?? "",
      ...(flags["expires-in"] === undefined ? {} : { expiresIn: { seconds: flags["expires-in"] } }),
    });
    const { member, accessToken, secret } = made;
    this.answerOne(
      AcceptInviteResponseSchema,
      made,
      () => `${memberText(member as Member)}\n\n${madeTokenText(accessToken as AccessToken, secret)}`,
    );
    this.say("Keep the token now: it is not shown again. To use it: usageflow login");
  }
}
