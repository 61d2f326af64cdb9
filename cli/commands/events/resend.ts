import { Args, Flags } from "@oclif/core";
import { type Delivery, DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { sendingWords } from "../../endpoints/sending-words.ts";

export default class EventsResend extends ClientCommand {
  static override summary = "Send an event to one endpoint, again or for the first time.";
  static override description =
    "Also to an endpoint that is younger than the event, or that does not ask for its type. What became of it: deliveries show ID, with the id that is printed.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> evt_01K0J1ZD8Q5x2nS7mXvTf3 --endpoint whe_01K0J1ZD8Q5x2nS7mXvTf3",
  ];
  static override args = {
    event: Args.string({ required: true, description: "Its id (evt_...), from events list." }),
  };
  static override flags = {
    endpoint: Flags.string({ required: true, description: "To this endpoint (whe_...)." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EventsResend);
    const service = await this.client(WebhookService, flags);
    const request = { eventId: args.event, endpointId: flags.endpoint };
    const delivery = (await service.resendEvent(request)).delivery as Delivery;
    this.answerOne(DeliverySchema, delivery, () => delivery.id);
    this.say(await sendingWords(service, delivery, "sent"));
  }
}
