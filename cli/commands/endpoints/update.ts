import { Args, Flags } from "@oclif/core";
import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointText } from "../../output/endpoint.ts";

export default class EndpointsUpdate extends ClientCommand {
  static override summary = "Change a webhook endpoint. What no flag names stays as it is.";
  static override description = "Its signing secret stays. What waits to be delivered goes to the new URL.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --to https://example.com/webhooks",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --event 'invoice.*' --event credit_note.created",
  ];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };
  static override flags = {
    to: Flags.string({ description: "Where events are POSTed to.", helpValue: "URL" }),
    event: Flags.string({
      description:
        "Only this type, in place of those before; invoice.* for all of a noun, * for all. May be given again.",
      multiple: true,
    }),
    description: Flags.string({ description: "For people." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsUpdate);
    const { to, event, description } = flags;
    if (to === undefined && event === undefined && description === undefined)
      throw new CliError("usage", "nothing is changed: give --to, --event or --description");
    const service = await this.client(WebhookService, flags);
    const known = (await service.getEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    const { endpoint } = await service.updateEndpoint({
      id: known.id,
      url: to ?? known.url,
      description: description ?? known.description,
      eventTypes: event ?? known.eventTypes,
    });
    this.answerOne(EndpointSchema, endpoint as Endpoint, () => endpointText(endpoint as Endpoint));
  }
}
