import { Args } from "@oclif/core";
import { type ApiKey, ApiKeySchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { time } from "../../output/text.ts";

export default class KeysRevoke extends ClientCommand {
  static override summary = "Revoke an API key for good.";
  static override description = "Within a second no server takes it. Revoking it again changes nothing.";
  static override examples = ["<%= config.bin %> <%= command.id %> key_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = { key: Args.string({ required: true, description: "Its id (key_...), from keys list." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(KeysRevoke);
    const service = await this.client(TenantService, flags);
    const key = (await service.revokeApiKey({ id: args.key })).apiKey as ApiKey;
    this.answerOne(ApiKeySchema, key, () => facts({ Id: key.id, Name: key.name, Revoked: time(key.revokedAt) }));
  }
}
