import { Flags } from "@oclif/core";
import { CreateApiKeyResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { madeKeyText } from "../../output/api-key.ts";
import { KEY_ROLES, keyRoleNames } from "../../role-flag.ts";
import { spanFlag } from "../../time.ts";

export default class KeysCreate extends ClientCommand {
  static override summary = "Make an API key, and show it once.";
  static override description =
    "A key belongs to the tenant of the call that makes it. The role ingest may send usage and nothing else: take it for a key that lives in an application.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --role ingest --name backend",
    "<%= config.bin %> <%= command.id %> --role viewer --json",
    "<%= config.bin %> <%= command.id %> --role admin --expires-in 90d --allow-cidr 203.0.113.0/24",
  ];
  static override flags = {
    role: Flags.option({ options: keyRoleNames, description: "What it may do.", required: true })(),
    name: Flags.string({ description: "What it is for." }),
    "expires-in": spanFlag({ description: "How long it works, such as 90d. Default: until it is revoked." }),
    "allow-cidr": Flags.string({
      description: "A range of addresses that it may be used from, such as 203.0.113.0/24. Default: from everywhere.",
      helpValue: "RANGE",
      multiple: true,
    }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(KeysCreate);
    const service = await this.client(TenantService, flags);
    const made = await service.createApiKey({
      role: KEY_ROLES[flags.role],
      name: flags.name ?? "",
      allowedCidrs: flags["allow-cidr"] ?? [],
      ...(flags["expires-in"] === undefined ? {} : { expiresIn: { seconds: flags["expires-in"] } }),
    });
    this.answerOne(CreateApiKeyResponseSchema, made, () => madeKeyText(made));
    this.say("Keep the key now: it is not shown again.");
  }
}
