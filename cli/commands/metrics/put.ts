import { Args, Flags } from "@oclif/core";
import { Aggregation, type Metric, MetricSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { readMessageFile } from "../../catalog/message-file.ts";
import { ClientCommand } from "../../client-command.ts";
import { metricText } from "../../output/metric.ts";

const AGGREGATIONS = {
  sum: Aggregation.SUM,
  count: Aggregation.COUNT,
  max: Aggregation.MAX,
  unique: Aggregation.UNIQUE,
  latest: Aggregation.LATEST,
  "weighted-sum": Aggregation.WEIGHTED_SUM,
};
const aggregationNames = Object.keys(AGGREGATIONS) as (keyof typeof AGGREGATIONS)[];

export default class MetricsPut extends ClientCommand {
  static override summary = "Create a metric, or replace what is known of it.";
  static override description =
    "How a metric counts, and its dimensions, are frozen once it has usage; its name and unit are not. What neither a flag nor the file names, goes. Metrics and plans together are pushed with `catalog push`.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> API_CALL --aggregation sum --name "API calls"',
    "<%= config.bin %> <%= command.id %> ACTIVE_USER --aggregation unique --unique-property user --dimension region",
    "<%= config.bin %> <%= command.id %> STORED_GB --aggregation weighted-sum --carry-over --unit GB",
    "<%= config.bin %> <%= command.id %> API_CALL --file metric.yaml",
  ];
  static override args = { metric: Args.string({ required: true, description: "Its key, such as API_CALL." }) };
  static override flags = {
    file: Flags.string({
      description:
        "The metric, as `metrics show --json` writes it: YAML or JSON, or - for stdin. A flag goes before it.",
      helpValue: "FILE",
    }),
    aggregation: Flags.option({
      options: aggregationNames,
      description: "How events are counted.",
      atLeastOne: ["aggregation", "file"],
    })(),
    name: Flags.string({ description: "A name for people and invoices. Default: the key." }),
    unit: Flags.string({ description: "What one is called, such as byte." }),
    "unique-property": Flags.string({ description: "For unique: the property whose different values are counted." }),
    dimension: Flags.string({
      description: "A property by which usage is told apart, such as region. May be given again.",
      multiple: true,
    }),
    "carry-over": Flags.boolean({
      description: "For weighted-sum: the level at the end of a span is that at the start of the next.",
    }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(MetricsPut);
    const service = await this.client(PricingService, flags);
    const { message: file, placed } = await readMessageFile(MetricSchema, flags.file);
    const metric: Metric = {
      ...file,
      key: args.metric,
      aggregation: flags.aggregation ? AGGREGATIONS[flags.aggregation] : file.aggregation,
      name: flags.name ?? file.name,
      unit: flags.unit ?? file.unit,
      uniqueProperty: flags["unique-property"] ?? file.uniqueProperty,
      dimensions: flags.dimension ?? file.dimensions,
      carryOver: flags["carry-over"] || file.carryOver,
    };
    const pushed = await service.pushCatalog({ catalog: { metrics: [metric] } }).catch((error) => {
      throw placed(error, "catalog.metrics[0]");
    });
    this.answerOne(MetricSchema, metric, () => metricText(metric));
    if (pushed.metrics.length === 0) this.say("Nothing changed.");
  }
}
