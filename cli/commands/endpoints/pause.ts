import { Args } from "@oclif/core";
import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointText } from "../../output/endpoint.ts";

export default class EndpointsPause extends ClientCommand {
  static override summary = "Pause a webhook endpoint.";
  static override description =
    "Its deliveries wait until `endpoints resume`; none is lost. An attempt that has begun goes on.";
  static override examples = ["<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsPause);
    const service = await this.client(WebhookService, flags);
    const endpoint = (await service.pauseEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    this.answerOne(EndpointSchema, endpoint, () => endpointText(endpoint));
    this.say(`Paused ${endpoint.id}.`);
  }
}
