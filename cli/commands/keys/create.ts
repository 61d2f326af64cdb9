import { Flags } from "@oclif/core";
import { Role, RoleSchema } from "../../../gen/usageflow/v1/permission_pb.ts";
import { CreateApiKeyResponseSchema, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { word } from "../../output/text.ts";

const ROLES = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  billing: Role.BILLING,
  viewer: Role.VIEWER,
  ingest: Role.INGEST,
};
const roleNames = Object.keys(ROLES) as (keyof typeof ROLES)[];

export default class KeysCreate extends ClientCommand {
  static override summary = "Make an API key, and show it once.";
  static override description =
    "A key belongs to the tenant of the key that makes it. The role ingest may send usage and nothing else: take it for a key that lives in an application.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --role ingest --name backend",
    "<%= config.bin %> <%= command.id %> --role viewer --json",
  ];
  static override flags = {
    role: Flags.option({ options: roleNames, description: "What it may do.", required: true })(),
    name: Flags.string({ description: "What it is for." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(KeysCreate);
    const service = await this.client(TenantService, flags);
    const made = await service.createApiKey({ role: ROLES[flags.role], name: flags.name ?? "" });
    this.answerOne(CreateApiKeyResponseSchema, made, () =>
      facts({
        Id: made.apiKey?.id ?? "",
        Name: made.apiKey?.name ?? "",
        Role: word(RoleSchema, made.apiKey?.role ?? Role.UNSPECIFIED),
        Key: made.secret,
      }),
    );
    this.say("Keep the key now: it is not shown again.");
  }
}
