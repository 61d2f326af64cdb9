import { Args, Flags } from "@oclif/core";
import type { CatalogDiff } from "../../../gen/usageflow/v1/catalog_diff_pb.ts";
import { PricingService, PushCatalogResponseSchema } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { readCatalogFile } from "../../catalog/catalog-file.ts";
import { ClientCommand } from "../../client-command.ts";
import { catalogDiffText, isDifferent, warningText } from "../../output/catalog-diff.ts";

export default class CatalogDiffCommand extends ClientCommand {
  static override summary = "Show what pushing a catalog file would change.";
  static override description =
    `The server works it out as a push would, and changes nothing: metrics, the next version of each plan, its fields and prices, and how many subscriptions stay on the versions before.

A line begins with + for what is added, - for what goes, ~ for what changes, and ! for what somebody published since the version that the file says, and a push would lose: it is refused then, unless it is forced.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> catalog.yaml",
    "<%= config.bin %> <%= command.id %> catalog.yaml --exit-code",
  ];
  static override args = { file: Args.string({ required: true, description: "The file, or - for stdin." }) };
  static override flags = { "exit-code": Flags.boolean({ description: "Exit with 1 when something would change." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CatalogDiffCommand);
    const { catalog, placed } = await readCatalogFile(args.file);
    const service = await this.client(PricingService, flags);
    // Forced, so that what would be lost is told beside the rest.
    const pushed = await service.pushCatalog({ catalog, dryRun: true, force: true }).catch((error) => {
      throw placed(error);
    });
    const diff = pushed.diff as CatalogDiff;
    this.answerOne(PushCatalogResponseSchema, pushed, () => catalogDiffText(diff));
    for (const warning of pushed.warnings) this.say(warningText(warning));
    if (!isDifferent(diff)) this.say("Nothing would change.");
    if (diff.plans.some((plan) => plan.lost.length > 0))
      this.say("A push of this file is refused, unless it is forced.");
    if (flags["exit-code"] && isDifferent(diff)) process.exitCode = 1;
  }
}
