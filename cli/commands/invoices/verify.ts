import { Args, Flags } from "@oclif/core";
import { InvoiceService, VerifyInvoiceResponseSchema } from "../../../gen/usageflow/v1/invoice_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { finalIds, type Verification, verifyInvoices } from "../../invoices/verify-invoices.ts";
import { bare } from "../../output/json.ts";
import { createProgress } from "../../output/progress.ts";
import { count } from "../../output/text.ts";
import { differencesText } from "../../output/verification.ts";

export default class InvoicesVerify extends ClientCommand {
  static override summary = "Work invoices out again from raw usage events, and compare.";
  static override description =
    `Each invoice is priced again under its version of the plan, from the events that were counted when it was finalized: line by line, its total, and its place in the numbers.

The exit code is 1 when one of them differs. Drafts are not stored, so --all leaves them out.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> INV-000001 INV-000002",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override strict = false; // takes any number of them
  static override args = { invoice: Args.string({ description: "Numbers, or ids (inv_...)." }) };
  static override flags = { all: Flags.boolean({ description: "All there are." }) };

  override async run(): Promise<void> {
    const { argv, flags } = await this.parse(InvoicesVerify);
    const named = argv as string[];
    if (flags.all ? named.length > 0 : named.length === 0)
      throw new CliError("usage", "name the invoices, or say --all");
    const service = await this.client(InvoiceService, flags);
    const progress = createProgress();
    let result: Verification;
    try {
      const ids = flags.all ? finalIds(service) : named;
      result = await verifyInvoices(service, ids, (done) => progress.show(`${count(done, "invoice")} verified`));
    } finally {
      progress.end();
    }
    const { verified, different } = result;
    this.answer(
      () => ({ verified, different: different.map((answer) => bare(VerifyInvoiceResponseSchema, answer)) }),
      () => different.map(differencesText).join("\n"),
    );
    this.say(
      `${count(verified, "invoice")} verified, ${different.length === 0 ? "no difference" : `${different.length} different`}.`,
    );
    if (different.length > 0) process.exitCode = 1;
  }
}
