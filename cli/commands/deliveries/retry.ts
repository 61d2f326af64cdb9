import { Args } from "@oclif/core";
import { type Delivery, DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { sendingWords } from "../../endpoints/sending-words.ts";

export default class DeliveriesRetry extends ClientCommand {
  static override summary = "Send a delivery again, now.";
  static override description =
    "It keeps its id, its webhook-id and its body. One that failed, or was delivered, gets all its tries again. It goes before all that waits for its endpoint. What became of it: deliveries show ID.";
  static override examples = ["<%= config.bin %> <%= command.id %> whd_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    delivery: Args.string({ required: true, description: "Its id (whd_...), from deliveries list." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DeliveriesRetry);
    const service = await this.client(WebhookService, flags);
    const delivery = (await service.retryDelivery({ id: args.delivery })).delivery as Delivery;
    this.answerOne(DeliverySchema, delivery, () => delivery.id);
    this.say(await sendingWords(service, delivery, "sent again"));
  }
}
