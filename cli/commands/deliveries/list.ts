import { Flags } from "@oclif/core";
import { type Delivery, DeliverySchema, DeliveryState } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { statusClassOf, statusFlag } from "../../deliveries/status-flag.ts";
import { deliveryState } from "../../output/delivery.ts";
import type { Column } from "../../output/table.ts";
import { moment } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

const STATES = {
  pending: DeliveryState.PENDING,
  delivered: DeliveryState.DELIVERED,
  failed: DeliveryState.FAILED,
  skipped: DeliveryState.SKIPPED,
};

const columns: Column<Delivery>[] = [
  { title: "DELIVERY", value: (delivery) => delivery.id },
  { title: "EVENT", value: (delivery) => delivery.eventType },
  { title: "STATE", value: deliveryState },
  { title: "TRIES", value: (delivery) => String(delivery.attemptCount), right: true },
  { title: "LAST ANSWER", value: lastAnswer, cut: true },
  { title: "HELD BY", value: (delivery) => delivery.heldBy, spare: true },
  { title: "ENDPOINT", value: (delivery) => delivery.endpointId, asked: true },
  { title: "MADE", value: (delivery) => moment(delivery.createdAt), asked: true },
  { title: "NEXT TRY", value: (delivery) => moment(delivery.nextAttemptAt), asked: true },
];

function lastAnswer(delivery: Delivery): string {
  if (delivery.attemptCount === 0) return "";
  return [delivery.lastStatus || "", delivery.lastError].filter((part) => part !== "").join(" ");
}

export default class DeliveriesList extends ClientCommand {
  static override summary = "List deliveries of webhooks, newest first.";
  static override description =
    "A delivery is one event for one endpoint. It is tried again until it is answered with a 2xx, or given up after three days. One to an ordered endpoint may be held by another of the same customer.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --state failed --all",
    "<%= config.bin %> <%= command.id %> --type 'invoice.*' --status 5xx --from 2015-06-01",
    "<%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = {
    endpoint: Flags.string({ description: "Only to this endpoint (whe_...)." }),
    event: Flags.string({ description: "Only of this event (evt_...)." }),
    state: Flags.option({
      options: ["pending", "delivered", "failed", "skipped"] as const,
      description: "Only in this state.",
    })(),
    type: Flags.string({
      description: "Only of this event type, such as invoice.* (may be repeated).",
      multiple: true,
    }),
    customer: Flags.string({ description: "Only of events about this customer." }),
    status: statusFlag({ description: "Only those whose last attempt was answered so." }),
    from: timeFlag({ description: "Only those made then or later." }),
    to: timeFlag({ description: "Only those made before." }),
    "oldest-first": Flags.boolean({ description: "Oldest first." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(DeliveriesList);
    const service = await this.client(WebhookService, flags);
    const filter = {
      endpointId: flags.endpoint ?? "",
      eventId: flags.event ?? "",
      eventTypes: flags.type ?? [],
      customerId: flags.customer ?? "",
      statusClass: statusClassOf(flags.status),
      oldestFirst: flags["oldest-first"],
      ...(flags.from && { start: flags.from }),
      ...(flags.to && { end: flags.to }),
      state: flags.state ? STATES[flags.state] : DeliveryState.UNSPECIFIED,
    };
    const found = await readPages(
      flags,
      (page) => service.listDeliveries({ ...filter, ...page }),
      (answer) => answer.deliveries,
    );
    this.answerList("deliveries", DeliverySchema, found, columns);
  }
}
