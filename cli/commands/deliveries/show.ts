import { Args } from "@oclif/core";
import { type Delivery, DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { deliveryText } from "../../output/delivery.ts";

export default class DeliveriesShow extends ClientCommand {
  static override summary = "Show one delivery of a webhook, and every attempt with what was answered.";
  static override description =
    "The start of each answer is shown; --json has up to 4 KiB of it. The time of an attempt is split: look-up, connection, first byte.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whd_01K0J1ZD8Q5x2nS7mXvTf3",
    "<%= config.bin %> <%= command.id %> whd_01K0J1ZD8Q5x2nS7mXvTf3 --json",
  ];
  static override args = {
    delivery: Args.string({ required: true, description: "Its id (whd_...), from deliveries list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DeliveriesShow);
    const service = await this.client(WebhookService, flags);
    const delivery = (await service.getDelivery({ id: args.delivery })).delivery as Delivery;
    this.answerOne(DeliverySchema, delivery, () => deliveryText(delivery));
  }
}
