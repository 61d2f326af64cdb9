import { Args } from "@oclif/core";
import { PricingService, PushCatalogResponseSchema } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { readCatalogFile } from "../../catalog/catalog-file.ts";
import { ClientCommand } from "../../client-command.ts";
import { fieldPath, printable } from "../../output/text.ts";

export default class CatalogPush extends ClientCommand {
  static override summary = "Publish a catalog file: metrics and plans, whole or not at all.";
  static override description =
    `The file is YAML or JSON. What it leaves out stays as it is. A plan with other content than its latest version gets the next version, and subscriptions stay on theirs. Pushing the same again changes nothing.

An error names the line, the field, and what is allowed there. A warning is about what is allowed and may not be meant, such as a volume price at which more costs less.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> catalog.yaml",
    "<%= config.bin %> <%= command.id %> catalog.yaml --json",
  ];
  static override args = { file: Args.string({ required: true, description: "The file, or - for stdin." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CatalogPush);
    const { catalog, placed } = await readCatalogFile(args.file);
    const service = await this.client(PricingService, flags);
    const pushed = await service.pushCatalog({ catalog }).catch((error) => {
      throw placed(error);
    });
    this.answerOne(PushCatalogResponseSchema, pushed, () =>
      [
        ...pushed.metrics.map((key) => `metric ${key}`),
        ...pushed.plans.map((plan) => `plan ${plan.key}, version ${plan.version}`),
      ].join("\n"),
    );
    for (const { field, message } of pushed.warnings) {
      this.say(`Warning: ${fieldPath(field.replace(/^catalog\./, ""))}: ${printable(message)}`);
    }
    if (pushed.metrics.length + pushed.plans.length === 0) this.say("Nothing changed.");
  }
}
