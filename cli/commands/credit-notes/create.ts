import { Args, Flags } from "@oclif/core";
import { type CreditNote, CreditNoteSchema, CreditNoteSettlement } from "../../../gen/usageflow/v1/credit_note_pb.ts";
import type { Invoice } from "../../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { creditNoteFacts } from "../../output/credit-note.ts";
import { parseMoney } from "../../parse-money.ts";

export default class CreditNotesCreate extends ClientCommand {
  static override summary = "Take an invoice back, wholly or in part, by a credit note.";
  static override description =
    "For an invoice that is final, paid or not. The invoice stays as it is. What is not paid yet is not owed any more; what was paid becomes credit, which later invoices draw, or with --refund is noted as paid back elsewhere.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> INV-000001 --full --reason "service was down"',
    '<%= config.bin %> <%= command.id %> INV-000001 --line 2 --line 3=5.00 --reason "counted twice"',
    "<%= config.bin %> <%= command.id %> INV-000001 --amount 12.34 --refund --reason goodwill --json",
  ];
  static override args = {
    invoice: Args.string({ required: true, description: "Its number, or its id (inv_...)." }),
  };
  static override flags = {
    full: Flags.boolean({ description: "All that is left of it.", exactlyOne: ["full", "line", "amount"] }),
    line: Flags.string({
      description: "A line by its place, or a part of it before discounts and tax. May be given again.",
      helpValue: "PLACE[=AMOUNT]",
      multiple: true,
    }),
    amount: Flags.string({ description: "An amount, tax included, such as 12.34." }),
    reason: Flags.string({ description: "Why. It stands on the document.", required: true }),
    refund: Flags.boolean({ description: "What was paid is paid back elsewhere, and becomes no credit." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CreditNotesCreate);
    const service = await this.client(InvoiceService, flags);
    const invoice = (await service.getInvoice({ id: args.invoice })).invoice as Invoice;
    const answer = await service.createCreditNote({
      invoiceId: args.invoice,
      scope: scopeOf(flags, invoice.currency),
      reason: flags.reason,
      settlement: flags.refund ? CreditNoteSettlement.REFUND : CreditNoteSettlement.CREDIT,
    });
    const note = answer.creditNote as CreditNote;
    this.answerOne(CreditNoteSchema, note, () => creditNoteFacts(note));
  }
}

function scopeOf({ line, amount }: { line?: string[] | undefined; amount?: string | undefined }, currency: string) {
  if (amount !== undefined) return { case: "amountMinor", value: parseMoney(amount, currency) } as const;
  if (line === undefined) return { case: "full", value: true } as const;
  return { case: "lines", value: { lines: line.map((text) => lineOf(text, currency)) } } as const;
}

function lineOf(text: string, currency: string) {
  const [, place, amount] = /^([1-9]\d{0,5})(?:=(.*))?$/.exec(text) ?? [];
  if (place === undefined) throw new CliError("usage", `"${text}" is no line: write its place, such as 2, or 2=5.00`);
  return { position: Number(place), ...(amount === undefined ? {} : { amountMinor: parseMoney(amount, currency) }) };
}
