import type { JsonObject } from "@bufbuild/protobuf";
import { InvoiceSchema } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { type ExportInvoicesResponse, InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { EXPORT_WORDS, ExportCommand, type ExportedRows, exportFlags } from "../../export/export-command.ts";
import { bare } from "../../output/json.ts";

export default class ExportInvoices extends ExportCommand {
  static override summary = "Write invoices that are final.";
  static override description =
    `Those that were finalized in a span of the tenant's time, in that order, without their lines: export lines has them. Amounts are in minor units of the currency. Drafts are left out: they change until they are final.

${EXPORT_WORDS}`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --from 2015-05-01 --before 2015-06-01 --format csv --out invoices.csv",
    "<%= config.bin %> <%= command.id %> --out invoices.ndjson --resume --json",
  ];
  static override flags = exportFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ExportInvoices);
    const service = await this.client(InvoiceService, flags);
    await this.export(flags, {
      noun: "invoices",
      columns: [
        ...["number", "id", "customerId", "state", "kind", "currency", "subtotalMinor", "discountMinor", "taxMinor"],
        ...["creditMinor", "totalMinor", "creditedMinor", "finalizedAt", "dueAt", "periodStart", "periodEnd", "plan"],
        ...["planVersion", "subscriptionId", "purchaseOrder", "buyer.name"],
      ],
      open: (asked, options) => rowsOf(service.exportInvoices(asked, options)),
    });
  }
}

async function* rowsOf(messages: AsyncIterable<ExportInvoicesResponse>): AsyncIterable<ExportedRows> {
  for await (const { invoices, resumeToken } of messages) {
    const rows = invoices.map((invoice) => {
      const { lines: _, ...row } = bare(InvoiceSchema, invoice) as JsonObject;
      return row;
    });
    yield { rows, resumeToken };
  }
}
