import { Args } from "@oclif/core";
import { DeleteEndpointResponseSchema, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";

export default class EndpointsDelete extends ClientCommand {
  static override summary = "Delete a webhook endpoint.";
  static override description = "Its deliveries stay in the log; those that wait are given up.";
  static override examples = ["<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsDelete);
    const service = await this.client(WebhookService, flags);
    const deleted = await service.deleteEndpoint({ id: args.endpoint });
    this.answerOne(DeleteEndpointResponseSchema, deleted, () => "");
    this.say(`Deleted ${args.endpoint}.`);
  }
}
