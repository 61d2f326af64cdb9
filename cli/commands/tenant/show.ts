import { type Tenant, TenantSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { tenantText } from "../../output/tenant.ts";

export default class TenantShow extends ClientCommand {
  static override summary = "Show the tenant of the API key, and its settings.";
  static override description = "A good first call: it shows that URL and key are right.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    const { flags } = await this.parse(TenantShow);
    const service = await this.client(TenantService, flags);
    const tenant = (await service.getTenant({})).tenant as Tenant;
    this.answerOne(TenantSchema, tenant, () => tenantText(tenant));
  }
}
