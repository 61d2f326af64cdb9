import { Args, Flags } from "@oclif/core";
import { ChangeTiming, type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { subscriptionText } from "../../output/subscription.ts";

export default class SubscriptionsChange extends ClientCommand {
  static override summary = "Move a subscription to another plan, version or number of seats.";
  static override description =
    "At once: fees are shared by time, to the second, and what was paid in advance and is not used comes back on the next invoice. With --at-period-end: when the open period ends; what it has already takes such a change back.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd --plan team",
    "<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd --quantity 7",
    "<%= config.bin %> <%= command.id %> sub_2RWPc3yyYZ9nQwJ1PSy8Kd --plan pro --plan-version 3 --at-period-end",
  ];
  static override args = { subscription: Args.string({ required: true, description: "Its id (sub_...)." }) };
  static override flags = {
    plan: Flags.string({ description: "Key of the plan to move to.", atLeastOne: ["plan", "quantity"] }),
    "plan-version": Flags.integer({ description: "Its version. Default: the latest.", min: 1, dependsOn: ["plan"] }),
    quantity: Flags.integer({ description: "Seats.", min: 1 }),
    now: Flags.boolean({ description: "At once. The default.", exclusive: ["at-period-end"] }),
    "at-period-end": Flags.boolean({ description: "When the open period ends." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsChange);
    const service = await this.client(PricingService, flags);
    const { subscription } = await service.changeSubscription({
      id: args.subscription,
      plan: flags.plan ?? "",
      planVersion: flags["plan-version"] ?? 0,
      quantity: flags.quantity ?? 0,
      timing: flags["at-period-end"] ? ChangeTiming.PERIOD_END : ChangeTiming.NOW,
    });
    this.answerOne(SubscriptionSchema, subscription as Subscription, () =>
      subscriptionText(subscription as Subscription),
    );
  }
}
