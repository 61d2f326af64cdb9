import { Flags } from "@oclif/core";
import { CreditNoteSchema } from "../../../gen/usageflow/v1/credit_note_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditNoteColumns } from "../../output/credit-note.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class CreditNotesList extends ClientCommand {
  static override summary = "List credit notes, oldest first.";
  static override description = "A credit note takes an invoice back, wholly or in part.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --invoice INV-000001",
    "<%= config.bin %> <%= command.id %> --customer user_123 --json",
  ];
  static override flags = {
    invoice: Flags.string({ description: "Only those of this invoice: its number, or its id (inv_...)." }),
    customer: Flags.string({ description: "Only this customer's." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(CreditNotesList);
    const service = await this.client(InvoiceService, flags);
    const filters = { invoiceId: flags.invoice ?? "", customerId: flags.customer ?? "" };
    const found = await readPages(
      flags,
      (page) => service.listCreditNotes({ ...filters, ...page }),
      (answer) => answer.creditNotes,
    );
    this.answerList("creditNotes", CreditNoteSchema, found, creditNoteColumns);
  }
}
