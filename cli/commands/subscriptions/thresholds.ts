import { Args, Flags } from "@oclif/core";
import { type Subscription, SubscriptionSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";

export default class SubscriptionsThresholds extends ClientCommand {
  static override summary = "Set at which amounts of spending a subscription is told of, or show them.";
  static override description =
    "The event usage.threshold_reached tells of each amount once in a period: when what usage comes to in the open period reaches it. Fees do not count. New amounts replace those that were set. Without a flag, shows them.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> sub_01K0J1ZD8Q5x2nS7mXvTf3 --amounts 100,250.50",
    "<%= config.bin %> <%= command.id %> sub_01K0J1ZD8Q5x2nS7mXvTf3 --none",
  ];
  static override args = {
    subscription: Args.string({ required: true, description: "Its id (sub_...)." }),
  };
  static override flags = {
    amounts: Flags.string({
      description: "Amounts in the currency of its plan, growing.",
      multiple: true,
      delimiter: ",",
      exclusive: ["none"],
    }),
    none: Flags.boolean({ description: "Take out all that are set." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(SubscriptionsThresholds);
    const service = await this.client(PricingService, flags);
    const id = args.subscription;
    const answer =
      flags.amounts || flags.none
        ? await service.setSpendThresholds({ id, amounts: flags.amounts ?? [] })
        : await service.getSubscription({ id });
    const subscription = answer.subscription as Subscription;
    this.answerOne(SubscriptionSchema, subscription, () => subscription.spendThresholds.join("\n"));
    if (subscription.spendThresholds.length === 0) this.say("No thresholds are set.");
  }
}
