import { AuditEntrySchema } from "../../../gen/usageflow/v1/audit_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { auditFilter, auditFlags, logFlags, logOf } from "../../audit/audit-flags.ts";
import { ClientCommand } from "../../client-command.ts";
import { auditColumns } from "../../output/audit.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class AuditList extends ClientCommand {
  static override summary = "List the audit log, newest first: who changed what.";
  static override description =
    "Each change of anything but usage is an entry, written with the change itself; so is each attempt that was refused. With --json an entry has the request and the fields that changed, before and after. Secrets are in none.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --subject inv_01K0J1ZD8Q5x2nS7mXvTf3 --json",
    "<%= config.bin %> <%= command.id %> --action CreateApiKey --action RevokeApiKey --from 2015-05-01",
    "<%= config.bin %> <%= command.id %> --refused",
    "<%= config.bin %> <%= command.id %> --organization",
  ];
  static override flags = { ...logFlags, ...auditFlags, ...listFlags };

  override async run(): Promise<void> {
    const { flags } = await this.parse(AuditList);
    const service = await this.client(TenantService, flags, logOf(flags));
    const filter = auditFilter(flags);
    const found = await readPages(
      flags,
      (page) => service.listAuditEntries({ filter, ...page }),
      (answer) => answer.auditEntries,
    );
    this.answerList("auditEntries", AuditEntrySchema, found, auditColumns);
  }
}
