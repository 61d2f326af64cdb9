import { Args, Flags } from "@oclif/core";
import { CreateEndpointResponseSchema, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";

export default class EndpointsCreate extends ClientCommand {
  static override summary = "Make a webhook endpoint, and show its signing secret once.";
  static override description =
    "It receives events that happen from now on, signed as Standard Webhooks says. Keep the secret: it is not shown again.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> https://example.com/webhooks",
    "<%= config.bin %> <%= command.id %> https://example.com/webhooks --event invoice.finalized --json",
  ];
  static override args = { url: Args.string({ required: true, description: "Where events are POSTed to." }) };
  static override flags = {
    event: Flags.string({
      description: "Only this type; invoice.* for all of a noun. May be given again.",
      multiple: true,
    }),
    description: Flags.string({ description: "For people." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsCreate);
    const service = await this.client(WebhookService, flags);
    const made = await service.createEndpoint({
      url: args.url,
      description: flags.description ?? "",
      eventTypes: flags.event ?? [],
    });
    this.answerOne(CreateEndpointResponseSchema, made, () =>
      facts({ Endpoint: made.endpoint?.id ?? "", URL: made.endpoint?.url ?? "", Secret: made.secret }),
    );
    this.say("Keep the secret now: it is not shown again.");
  }
}
