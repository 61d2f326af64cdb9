import { type Tenant, TenantKindSchema, TenantSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { time, word } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<Tenant>[] = [
  { title: "TENANT", value: (tenant) => tenant.id },
  { title: "KIND", value: (tenant) => word(TenantKindSchema, tenant.kind) },
  { title: "CLOCK", value: (tenant) => (tenant.clock?.frozen ? `stands at ${time(tenant.clock.now)}` : "runs") },
  { title: "TIME ZONE", value: (tenant) => tenant.timeZone, cut: true },
];

export default class OrganizationTenants extends ClientCommand {
  static override summary = "List the organization's tenants.";
  static override description = "The live one and the one for tests. Commands take either with --tenant.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(OrganizationTenants);
    const service = await this.client(TenantService, flags, "organization");
    const found = await readPages(
      flags,
      (page) => service.listTenants(page),
      (answer) => answer.tenants,
    );
    this.answerList("tenants", TenantSchema, found, columns);
  }
}
