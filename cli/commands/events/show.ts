import { Args } from "@oclif/core";
import { type Event, type EventData, EventDataSchema, EventSchema } from "../../../gen/usageflow/v1/event_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { bare } from "../../output/json.ts";
import { facts } from "../../output/table.ts";
import { printable, time } from "../../output/text.ts";

export default class EventsShow extends ClientCommand {
  static override summary = "Show one event with its facts.";
  static override description = "The facts are shown as JSON, as webhooks have them under `data`.";
  static override examples = ["<%= config.bin %> <%= command.id %> evt_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override args = {
    event: Args.string({ required: true, description: "Its id (evt_...), from events list or a webhook-id header." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EventsShow);
    const service = await this.client(WebhookService, flags);
    const event = (await service.getEvent({ id: args.event })).event as Event;
    this.answerOne(EventSchema, event, () => {
      const head = facts({
        Event: event.id,
        Type: event.type,
        Happened: time(event.occurredAt),
        Customer: event.customerId,
      });
      return `${head}\n\n${jsonText(event.data as EventData)}`;
    });
  }
}

/** Lines of JSON that cannot act on a terminal: JSON itself escapes only some of the control characters. */
function jsonText(data: EventData): string {
  return JSON.stringify(bare(EventDataSchema, data), null, 2).split("\n").map(printable).join("\n");
}
