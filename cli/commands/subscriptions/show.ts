import { Args } from "@oclif/core";
import { type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { subscriptionText } from "../../output/subscription.ts";

export default class SubscriptionsShow extends ClientCommand {
  static override summary = "Show one subscription, and what is to come when its period ends.";
  static override description = "What its open period comes to: invoices preview --subscription ID.";
  static override examples = ["<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd"];
  static override args = { subscription: Args.string({ required: true, description: "Its id (sub_...)." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsShow);
    const service = await this.client(PricingService, flags);
    const { subscription } = await service.getSubscription({ id: args.subscription });
    this.answerOne(SubscriptionSchema, subscription as Subscription, () =>
      subscriptionText(subscription as Subscription),
    );
  }
}
