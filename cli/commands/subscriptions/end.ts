import { Args, Flags } from "@oclif/core";
import { ChangeTiming, type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { subscriptionText } from "../../output/subscription.ts";

export default class SubscriptionsEnd extends ClientCommand {
  static override summary = "End a subscription, when its open period ends or at once.";
  static override description =
    "What was used is still invoiced. At once, fees are shared by time, to the second, and what was paid in advance and is not used comes back on its last invoice.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd",
    "<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd --now --json",
  ];
  static override args = { subscription: Args.string({ required: true, description: "Its id (sub_...)." }) };
  static override flags = {
    now: Flags.boolean({ description: "At once.", exclusive: ["at-period-end"] }),
    "at-period-end": Flags.boolean({ description: "When the open period ends. The default." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsEnd);
    const service = await this.client(PricingService, flags);
    const { subscription } = await service.endSubscription({
      id: args.subscription,
      timing: flags.now ? ChangeTiming.NOW : ChangeTiming.PERIOD_END,
    });
    this.answerOne(SubscriptionSchema, subscription as Subscription, () =>
      subscriptionText(subscription as Subscription),
    );
  }
}
