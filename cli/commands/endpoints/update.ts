import { Args, Flags } from "@oclif/core";
import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointText } from "../../output/endpoint.ts";

export default class EndpointsUpdate extends ClientCommand {
  static override summary = "Change a webhook endpoint.";
  static override description = "What is not given stays as it is. Deliveries that wait go to the new URL.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 https://example.com/new",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --event 'invoice.*'",
  ];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
    url: Args.string({ description: "Where events are POSTed to from now on." }),
  };
  static override flags = {
    event: Flags.string({
      description: "Only this type; invoice.* for all of a noun, * for all. May be repeated.",
      multiple: true,
    }),
    description: Flags.string({ description: "For people." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsUpdate);
    const service = await this.client(WebhookService, flags);
    const before = (await service.getEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    const updated = await service.updateEndpoint({
      id: before.id,
      url: args.url ?? before.url,
      description: flags.description ?? before.description,
      eventTypes: flags.event ?? before.eventTypes,
    });
    const endpoint = updated.endpoint as Endpoint;
    this.answerOne(EndpointSchema, endpoint, () => endpointText(endpoint));
    this.say(`Changed ${endpoint.id}.`);
  }
}
