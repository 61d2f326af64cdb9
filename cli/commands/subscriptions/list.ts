import { Flags } from "@oclif/core";
import { type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { timeIn } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<Subscription>[] = [
  { title: "SUBSCRIPTION", value: (subscription) => subscription.id },
  { title: "CUSTOMER", value: (subscription) => subscription.customerId, cut: "last" },
  { title: "PLAN", value: (subscription) => subscription.plan, cut: true },
  { title: "VERSION", value: (subscription) => String(subscription.planVersion), right: true },
  { title: "STARTED", value: (subscription) => timeIn(subscription.timeZone, subscription.startedAt), spare: true },
  { title: "ENDS", value: (subscription) => timeIn(subscription.timeZone, subscription.endsAt) },
];

export default class SubscriptionsList extends ClientCommand {
  static override summary = "List subscriptions, oldest first, ended ones included.";
  static override description =
    "A subscription is a customer on a version of a plan. A customer first seen in usage is subscribed to the catalog's default plan.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --customer user_123 --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(SubscriptionsList);
    const service = await this.client(PricingService, flags);
    const found = await readPages(
      flags,
      (page) => service.listSubscriptions({ customerId: flags.customer ?? "", ...page }),
      (answer) => answer.subscriptions,
    );
    this.answerList("subscriptions", SubscriptionSchema, found, columns);
  }
}
