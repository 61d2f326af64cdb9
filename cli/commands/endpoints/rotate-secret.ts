import { Args } from "@oclif/core";
import { RotateEndpointSecretResponseSchema, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { secretFlags, signatureKind } from "../../endpoints/endpoint-flags.ts";
import { madeSecretText } from "../../output/endpoint.ts";
import { spanFlag } from "../../time.ts";

export default class EndpointsRotateSecret extends ClientCommand {
  static override summary = "Give a webhook endpoint a new signing secret, and show it once.";
  static override description =
    "During the overlap each message carries the signatures of the new secret and of the one before, so the receiver misses nothing while it learns the new one. --overlap 0s ends the one before at once: for a secret that leaked.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --overlap 0s",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --signature v1a",
  ];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };
  static override flags = {
    overlap: spanFlag({ description: "How long the secret before is used too, at most 7d. Default: 24h." }),
    ...secretFlags,
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsRotateSecret);
    const service = await this.client(WebhookService, flags);
    const made = await service.rotateEndpointSecret({
      id: args.endpoint,
      secret: flags.secret ?? "",
      signatureKind: signatureKind(flags.signature),
      ...(flags.overlap === undefined ? {} : { overlap: { seconds: flags.overlap } }),
    });
    this.answerOne(RotateEndpointSecretResponseSchema, made, () => madeSecretText(made));
    if (made.secret) this.say("Keep the secret now: it is not shown again.");
  }
}
