import { buffer } from "node:stream/consumers";
import { Flags } from "@oclif/core";
import { BaseCommand } from "../../base-command.ts";
import { openInput } from "../../usage/open-input.ts";
import { explainMismatch } from "../../webhooks/explain-mismatch.ts";
import { verify } from "../../webhooks/verify.ts";

export default class WebhooksVerify extends BaseCommand {
  static override summary = "Verify the signature of a webhook, offline, and say which check fails and why.";
  static override description =
    `For messages of any sender that keeps to Standard Webhooks 1.0.0. The headers go in as they came, and the body byte for byte.

The exit code is 1 when the message does not verify.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --secret whsec_... --id evt_01K0J1ZD8Q5x2nS7mXvTf3 --timestamp 1614265330 --signature "v1,g0hM9SsE..." --payload body.json',
    '<%= config.bin %> <%= command.id %> --secret whpk_... --id msg_1 --timestamp 1614265330 --signature "v1a,hnO3f9T8..." --payload - --at 1614265330',
  ];
  static override flags = {
    secret: Flags.string({ required: true, description: "The secret, whsec_..., or the public key, whpk_..." }),
    id: Flags.string({ required: true, description: "The webhook-id header." }),
    timestamp: Flags.string({ required: true, description: "The webhook-timestamp header." }),
    signature: Flags.string({ required: true, description: "The webhook-signature header." }),
    payload: Flags.string({ required: true, description: "A file with the body; - for stdin.", helpValue: "FILE" }),
    at: Flags.integer({ description: "Verify as of this time. Default: now.", helpValue: "UNIX_SECONDS" }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(WebhooksVerify);
    const { id, timestamp, signature, secret, at } = flags;
    const message = { id, timestamp, signature, body: await buffer(await openInput(flags.payload)) };
    const options = at === undefined ? {} : { atSeconds: at };
    const verdict = verify(message, secret, options);
    if (verdict.verified) {
      return this.answer(
        () => verdict,
        () => "Verified.",
      );
    }
    process.exitCode = 1;
    const { problem } = verdict;
    const why = problem === "signature_mismatch" ? `; ${explainMismatch(message, secret, options)}` : "";
    const words = `${verdict.message}${why}`;
    this.answer(
      () => ({ ...verdict, message: words }),
      () => `Not verified (${problem}): ${words}.`,
    );
    if (/^timestamp_too/.test(problem)) this.say(`--at ${timestamp} verifies it as of when it was sent.`);
  }
}
