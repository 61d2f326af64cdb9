import { RoleSchema } from "../../../gen/usageflow/v1/permission_pb.ts";
import { type ApiKey, ApiKeySchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { keyState } from "../../output/api-key.ts";
import type { Column } from "../../output/table.ts";
import { time, word } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<ApiKey>[] = [
  { title: "KEY", value: (key) => key.id },
  { title: "NAME", value: (key) => key.name, cut: true },
  { title: "ROLE", value: (key) => word(RoleSchema, key.role) },
  { title: "LOOKS LIKE", value: (key) => key.prefix, spare: true },
  { title: "STATE", value: keyState },
  { title: "EXPIRES", value: (key) => time(key.expiresAt), spare: true },
  { title: "LAST USED", value: (key) => time(key.lastUsedAt) },
  { title: "FROM", value: (key) => key.allowedCidrs.join(" "), cut: true, spare: true },
];

export default class KeysList extends ClientCommand {
  static override summary = "List API keys, newest first, revoked ones included.";
  static override description =
    "The keys themselves are not kept: only how they begin and end. When one was last used is known to the minute.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(KeysList);
    const service = await this.client(TenantService, flags);
    const found = await readPages(
      flags,
      (page) => service.listApiKeys(page),
      (answer) => answer.apiKeys,
    );
    this.answerList("apiKeys", ApiKeySchema, found, columns);
  }
}
