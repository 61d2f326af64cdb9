import { PeriodSchema, type Plan, PlanSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { word } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<Plan>[] = [
  { title: "PLAN", value: (plan) => plan.key },
  { title: "NAME", value: (plan) => plan.name, cut: true },
  { title: "VERSION", value: (plan) => String(plan.version), right: true },
  { title: "CURRENCY", value: (plan) => plan.currency },
  { title: "PERIOD", value: (plan) => word(PeriodSchema, plan.period) },
  { title: "PRICES", value: (plan) => plan.prices.map((price) => price.key).join(", "), cut: true },
];

export default class PlansList extends ClientCommand {
  static override summary = "List plans in their latest version.";
  static override description = "Plans are published with `catalog push`. A published version never changes.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(PlansList);
    const service = await this.client(PricingService, flags);
    const found = await readPages(
      flags,
      (page) => service.listPlans(page),
      (answer) => answer.plans,
    );
    this.answerList("plans", PlanSchema, found, columns);
  }
}
