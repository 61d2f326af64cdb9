import { MetricSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { metricColumns } from "../../output/metric.ts";
import { cutTo, listFlags } from "../../pages.ts";

export default class MetricsList extends ClientCommand {
  static override summary = "List metrics: what is measured, and how it is counted.";
  static override description = "By key. Metrics are made with `metrics put`, or with `catalog push` beside the plans.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(MetricsList);
    const service = await this.client(PricingService, flags);
    const metrics = (await service.pullCatalog({})).catalog?.metrics ?? [];
    this.answerList("metrics", MetricSchema, cutTo(flags, metrics), metricColumns);
  }
}
