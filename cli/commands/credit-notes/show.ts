import { Args } from "@oclif/core";
import { type CreditNote, CreditNoteSchema } from "../../../gen/usageflow/v1/credit_note_pb.ts";
import type { Invoice } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditNoteDocument } from "../../document/credit-note-document.ts";
import { documentFlags, writeDocument } from "../../document/write-document.ts";
import { creditNoteText } from "../../output/credit-note.ts";

export default class CreditNotesShow extends ClientCommand {
  static override summary = "Show one credit note, and what became of what it takes back.";
  static override description =
    "As PDF and HTML it is a document to send, from the seller to the buyer of its invoice.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> CN-000001",
    "<%= config.bin %> <%= command.id %> CN-000001 --pdf credit-note.pdf",
    "<%= config.bin %> <%= command.id %> CN-000001 --json",
  ];
  static override args = {
    note: Args.string({ required: true, description: "Its number, or its id (crn_...)." }),
  };
  static override flags = documentFlags;

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CreditNotesShow);
    const service = await this.client(InvoiceService, flags);
    const note = (await service.getCreditNote({ id: args.note })).creditNote as CreditNote;
    const invoice = (await service.getInvoice({ id: note.invoiceId })).invoice as Invoice;
    const written = await writeDocument(creditNoteDocument(note, invoice), flags, (words) => this.say(words));
    this.answerOne(CreditNoteSchema, note, () => (written ? "" : creditNoteText(note, invoice)));
  }
}
