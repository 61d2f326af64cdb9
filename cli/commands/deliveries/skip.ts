import { Args } from "@oclif/core";
import { type Delivery, DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";

export default class DeliveriesSkip extends ClientCommand {
  static override summary = "Give up a delivery that waits, so that what it holds is sent.";
  static override description =
    "An ordered endpoint gets the next event of a customer when the one before is over: this ends that one by hand. One that is being sent this moment is not skipped: try again. Send it after all: deliveries retry ID.";
  static override examples = ["<%= config.bin %> <%= command.id %> whd_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    delivery: Args.string({ required: true, description: "Its id (whd_...), from deliveries list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DeliveriesSkip);
    const service = await this.client(WebhookService, flags);
    const delivery = (await service.skipDelivery({ id: args.delivery })).delivery as Delivery;
    this.answerOne(DeliverySchema, delivery, () => delivery.id);
    this.say(`${delivery.eventType} is not sent to ${delivery.endpointId} any more.`);
  }
}
