import { Args } from "@oclif/core";
import { MetricSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { metricText } from "../../output/metric.ts";

export default class MetricsShow extends ClientCommand {
  static override summary = "Show a metric.";
  static override description = "What it measures is frozen once it has usage, its name and unit excepted.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> API_CALL",
    "<%= config.bin %> <%= command.id %> API_CALL --json",
  ];
  static override args = { metric: Args.string({ required: true, description: "Its key." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MetricsShow);
    const service = await this.client(PricingService, flags);
    const metrics = (await service.pullCatalog({})).catalog?.metrics ?? [];
    const metric = metrics.find(({ key }) => key === args.metric);
    if (!metric) {
      const hint = "See what there is: usageflow metrics list";
      throw new CliError("not_found", `there is no metric "${args.metric}"`, { reason: "NOT_FOUND", hint });
    }
    this.answerOne(MetricSchema, metric, () => metricText(metric));
  }
}
