import { Args } from "@oclif/core";
import { CreateEndpointResponseSchema, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import {
  endpointFlags,
  parseHeaders,
  parseMetadata,
  secretFlags,
  signatureKind,
} from "../../endpoints/endpoint-flags.ts";
import { madeSecretText } from "../../output/endpoint.ts";

export default class EndpointsCreate extends ClientCommand {
  static override summary = "Make a webhook endpoint, and show its signing secret once.";
  static override description =
    "It receives events that happen from now on, signed as Standard Webhooks says. Keep the secret: it is not shown again. With --signature v1a the receiver needs the public key alone, which endpoints show has too.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> https://example.com/webhooks",
    "<%= config.bin %> <%= command.id %> https://example.com/webhooks --event invoice.finalized --json",
    "<%= config.bin %> <%= command.id %> https://example.com/webhooks --event 'subscription.*' --ordered",
    '<%= config.bin %> <%= command.id %> https://example.com/webhooks --header "authorization: Bearer abc" --signature v1a',
  ];
  static override args = { url: Args.string({ required: true, description: "Where events are POSTed to." }) };
  static override flags = { ...endpointFlags, ...secretFlags };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsCreate);
    const headers = parseHeaders(flags.header ?? []);
    const metadata = parseMetadata(flags.metadata ?? []);
    const service = await this.client(WebhookService, flags);
    const made = await service.createEndpoint({
      url: args.url,
      description: flags.description ?? "",
      eventTypes: flags.event ?? [],
      headers,
      metadata,
      signatureKind: signatureKind(flags.signature),
      secret: flags.secret ?? "",
      maxPerSecond: flags["max-per-second"] ?? 0,
      maxInFlight: flags["max-in-flight"] ?? 0,
      ordered: flags.ordered ?? false,
    });
    this.answerOne(CreateEndpointResponseSchema, made, () => madeSecretText(made));
    if (made.secret) this.say("Keep the secret now: it is not shown again.");
  }
}
