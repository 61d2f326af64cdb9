import { Flags } from "@oclif/core";
import { DiscountSchema } from "../../../gen/usageflow/v1/discount_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { discountColumns } from "../../output/discount.ts";
import { listFlags, readPages } from "../../pages.ts";

export default class DiscountsList extends ClientCommand {
  static override summary = "List discounts, oldest first, ended ones included.";
  static override description = "That is the order in which those of a subscription take off.";
  static override examples = ["<%= config.bin %> <%= command.id %> --subscription sub_01K0J1ZD8Q5x2nS7mXvTf3"];
  static override flags = {
    subscription: Flags.string({ description: "Only those of this subscription (sub_...)." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(DiscountsList);
    const service = await this.client(PricingService, flags);
    const found = await readPages(
      flags,
      (page) => service.listDiscounts({ subscriptionId: flags.subscription ?? "", ...page }),
      (answer) => answer.discounts,
    );
    this.answerList("discounts", DiscountSchema, found, discountColumns);
  }
}
