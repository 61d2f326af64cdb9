import { Args, Flags } from "@oclif/core";
import { type Discount, DiscountSchema } from "../../../gen/usageflow/v1/discount_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { discountText } from "../../output/discount.ts";

export default class DiscountsEnd extends ClientCommand {
  static override summary = "End a discount with the open period, or at once.";
  static override description = "Invoices that are final keep it. Doing it again changes nothing.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> dsc_01K0J1ZD8Q5x2nS7mXvTf3",
    "<%= config.bin %> <%= command.id %> dsc_01K0J1ZD8Q5x2nS7mXvTf3 --at-once",
  ];
  static override args = {
    discount: Args.string({ required: true, description: "Its id (dsc_...), from discounts list." }),
  };
  static override flags = {
    "at-once": Flags.boolean({ description: "Also for invoices that are not final yet." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DiscountsEnd);
    const service = await this.client(PricingService, flags);
    const answer = await service.endDiscount({ id: args.discount, atOnce: flags["at-once"] });
    const discount = answer.discount as Discount;
    this.answerOne(DiscountSchema, discount, () => discountText(discount));
  }
}
