import { Args, Flags } from "@oclif/core";
import { type Discount, DiscountSchema } from "../../../gen/usageflow/v1/discount_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { discountText } from "../../output/discount.ts";

export default class DiscountsCreate extends ClientCommand {
  static override summary = "Give a subscription a discount, from its open period on.";
  static override description =
    "A percentage of all charges, or an amount once per period. Several take off in the order in which they were made.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> sub_01K0J1ZD8Q5x2nS7mXvTf3 --name "Launch offer" --percent 20 --periods 3',
    '<%= config.bin %> <%= command.id %> sub_01K0J1ZD8Q5x2nS7mXvTf3 --name "Partner" --amount 5.00 --for-ever',
  ];
  static override args = {
    subscription: Args.string({ required: true, description: "Its id (sub_...), from subscriptions list." }),
  };
  static override flags = {
    name: Flags.string({ description: "What it is called on invoices.", required: true }),
    percent: Flags.string({ description: "Percent of the charges.", exactlyOne: ["percent", "amount"] }),
    amount: Flags.string({ description: "So much off of each period, in the plan's currency." }),
    periods: Flags.integer({
      description: "For so many, the open one included. 1: once.",
      exactlyOne: ["periods", "for-ever"],
    }),
    "for-ever": Flags.boolean({ description: "Until it is ended." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DiscountsCreate);
    const service = await this.client(PricingService, flags);
    const { percent, amount = "", periods } = flags;
    const answer = await service.createDiscount({
      subscriptionId: args.subscription,
      name: flags.name,
      value: percent === undefined ? { case: "amount", value: amount } : { case: "percent", value: percent },
      duration: periods === undefined ? { case: "forEver", value: true } : { case: "periods", value: periods },
    });
    const discount = answer.discount as Discount;
    this.answerOne(DiscountSchema, discount, () => discountText(discount));
  }
}
