import { Flags } from "@oclif/core";
import { type Event, EventSchema } from "../../../gen/usageflow/v1/event_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { time } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

const columns: Column<Event>[] = [
  { title: "EVENT", value: (event) => event.id },
  { title: "TYPE", value: (event) => event.type },
  { title: "HAPPENED", value: (event) => time(event.occurredAt) },
  { title: "CUSTOMER", value: (event) => event.customerId, cut: true },
];

export default class EventsList extends ClientCommand {
  static override summary = "List events, newest first.";
  static override description =
    "An event is a business fact, such as an invoice that was finalized. Times are the tenant's. Where it was sent: deliveries list --event ID.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --type 'invoice.*' --customer user_123 --from 2015-06-01",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = {
    type: Flags.string({ description: "Only of this type, such as invoice.* (may be repeated).", multiple: true }),
    customer: Flags.string({ description: "Only about this customer." }),
    from: timeFlag({ description: "Only those that happened then or later." }),
    to: timeFlag({ description: "Only those that happened before." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(EventsList);
    const service = await this.client(WebhookService, flags);
    const filter = {
      eventTypes: flags.type ?? [],
      customerId: flags.customer ?? "",
      ...(flags.from && { start: flags.from }),
      ...(flags.to && { end: flags.to }),
    };
    const found = await readPages(
      flags,
      (page) => service.listEvents({ ...filter, ...page }),
      (answer) => answer.events,
    );
    this.answerList("events", EventSchema, found, columns);
  }
}
