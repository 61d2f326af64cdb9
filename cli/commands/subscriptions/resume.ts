import { Args } from "@oclif/core";
import { type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { subscriptionText } from "../../output/subscription.ts";

export default class SubscriptionsResume extends ClientCommand {
  static override summary = "Let a subscription go on that is to end.";
  static override description = "Until it has ended. One that goes on already is not changed.";
  static override examples = ["<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd"];
  static override args = { subscription: Args.string({ required: true, description: "Its id (sub_...)." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsResume);
    const service = await this.client(PricingService, flags);
    const { subscription } = await service.resumeSubscription({ id: args.subscription });
    this.answerOne(SubscriptionSchema, subscription as Subscription, () =>
      subscriptionText(subscription as Subscription),
    );
  }
}
