import type { JsonObject } from "@bufbuild/protobuf";
import {
  ExportedInvoiceLineSchema,
  type ExportInvoiceLinesResponse,
  InvoiceService,
} from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { EXPORT_WORDS, ExportCommand, type ExportedRows, exportFlags } from "../../export/export-command.ts";
import { bare } from "../../output/json.ts";

export default class ExportLines extends ExportCommand {
  static override summary = "Write the lines of invoices that are final.";
  static override description =
    `Those of invoices that were finalized in a span of the tenant's time, in that order. Amounts are in minor units of the currency; as JSON each has the steps in which it came about.

${EXPORT_WORDS}`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --from 2015-05-01 --before 2015-06-01 --format csv --out lines.csv",
    "<%= config.bin %> <%= command.id %> --out lines.ndjson --resume --json",
  ];
  static override flags = exportFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ExportLines);
    const service = await this.client(InvoiceService, flags);
    await this.export(flags, {
      noun: "lines",
      columns: [
        ...["invoiceNumber", "position", "customerId", "finalizedAt", "line.kind", "line.priceKey", "line.metric"],
        ...["line.dimensions", "line.quantity", "line.amountMinor", "currency", "line.exactAmount", "line.description"],
        ...["line.adjustedInvoiceNumber", "line.discountId", "invoiceId"],
      ],
      open: (asked, options) => rowsOf(service.exportInvoiceLines(asked, options)),
    });
  }
}

async function* rowsOf(messages: AsyncIterable<ExportInvoiceLinesResponse>): AsyncIterable<ExportedRows> {
  for await (const { invoiceLines, resumeToken } of messages) {
    yield { rows: invoiceLines.map((line) => bare(ExportedInvoiceLineSchema, line) as JsonObject), resumeToken };
  }
}
