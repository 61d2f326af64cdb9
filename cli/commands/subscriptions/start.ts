import { Args, Flags } from "@oclif/core";
import { type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { subscriptionText } from "../../output/subscription.ts";
import { timeFlag } from "../../time.ts";

export default class SubscriptionsStart extends ClientCommand {
  static override summary = "Subscribe a customer to a plan.";
  static override description =
    "To the latest version of the plan, which it keeps until it is changed. A first period that begins inside a calendar period is charged by its share of that.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> user_123 pro",
    "<%= config.bin %> <%= command.id %> user_123 team --quantity 5 --start-at 2015-06-01",
  ];
  static override args = {
    customer: Args.string({
      required: true,
      description: "Your own id for it. One that is not known yet is registered.",
    }),
    plan: Args.string({ required: true, description: "Key of the plan." }),
  };
  static override flags = {
    quantity: Flags.integer({ description: "Seats. Default: 1.", min: 1 }),
    "start-at": timeFlag({
      description: "Where it begins. Default: now, or the start of the present calendar period.",
    }),
    "trial-end": timeFlag({ description: "Where its trial ends, in place of the plan's trial days." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsStart);
    const service = await this.client(PricingService, flags);
    const { subscription } = await service.startSubscription({
      customerId: args.customer,
      plan: args.plan,
      quantity: flags.quantity ?? 0,
      ...(flags["start-at"] ? { startAt: flags["start-at"] } : {}),
      ...(flags["trial-end"] ? { trialEndsAt: flags["trial-end"] } : {}),
    });
    this.answerOne(SubscriptionSchema, subscription as Subscription, () =>
      subscriptionText(subscription as Subscription),
    );
  }
}
