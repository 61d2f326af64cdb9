import { Args } from "@oclif/core";
import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointText } from "../../output/endpoint.ts";

export default class EndpointsResume extends ClientCommand {
  static override summary = "Resume a webhook endpoint that was paused or disabled.";
  static override description = "What waited for it is sent, oldest first.";
  static override examples = ["<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsResume);
    const service = await this.client(WebhookService, flags);
    const endpoint = (await service.resumeEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    this.answerOne(EndpointSchema, endpoint, () => endpointText(endpoint));
    this.say(`Resumed ${endpoint.id}.`);
  }
}
