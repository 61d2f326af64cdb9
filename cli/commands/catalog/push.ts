import { Args, Flags } from "@oclif/core";
import type { CatalogDiff } from "../../../gen/usageflow/v1/catalog_diff_pb.ts";
import type { Catalog } from "../../../gen/usageflow/v1/pricing_pb.ts";
import {
  PricingService,
  type PushCatalogResponse,
  PushCatalogResponseSchema,
} from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { readCatalogFile } from "../../catalog/catalog-file.ts";
import { ClientCommand } from "../../client-command.ts";
import { catalogDiffText, isDifferent, warningText } from "../../output/catalog-diff.ts";
import { count, printable } from "../../output/text.ts";

export default class CatalogPush extends ClientCommand {
  static override summary = "Publish a catalog file: metrics and plans, whole or not at all.";
  static override description =
    `The file is YAML or JSON. What it leaves out stays as it is. A plan with other content than its latest version gets the next version, and subscriptions stay on theirs. Pushing the same again changes nothing. What changes is printed.

A plan that says its version was made from that one, as \`catalog pull\` writes it. If somebody published a later one, and this file would lose something of it, the push is refused, and says what.

An error names the line, the field, and what is allowed there. A warning is about what is allowed and may not be meant, such as a volume price at which more costs less.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> catalog.yaml",
    "<%= config.bin %> <%= command.id %> catalog.yaml --dry-run",
    "<%= config.bin %> <%= command.id %> catalog.yaml --json",
  ];
  static override args = { file: Args.string({ required: true, description: "The file, or - for stdin." }) };
  static override flags = {
    "dry-run": Flags.boolean({ description: "Say what it would do, refusals too, and change nothing." }),
    force: Flags.boolean({ description: "Publish also where something that others published is lost." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(CatalogPush);
    const { catalog, placed } = await readCatalogFile(args.file);
    const service = await this.client(PricingService, flags);
    const dryRun = flags["dry-run"];
    const pushed = await service.pushCatalog({ catalog, dryRun, force: flags.force }).catch((error) => {
      throw placed(error);
    });
    this.answerOne(PushCatalogResponseSchema, pushed, () => catalogDiffText(pushed.diff as CatalogDiff));
    for (const warning of pushed.warnings) this.say(warningText(warning));
    this.say(outcomeText(pushed, dryRun));
    if (!dryRun) this.sayVersions(catalog, pushed);
  }

  /** The file still says the versions that it was made from: the next push of another change would be refused. */
  private sayVersions({ plans }: Catalog, pushed: PushCatalogResponse): void {
    for (const { key, version } of pushed.plans) {
      const said = plans.find((plan) => plan.key === key)?.version ?? 0;
      if (said > 0)
        this.say(printable(`The file says version ${said} of plan ${key}: write "version: ${version}" now.`));
    }
  }
}

function outcomeText({ metrics, plans, diff }: PushCatalogResponse, dryRun: boolean): string {
  if (!isDifferent(diff as CatalogDiff)) return "Nothing changed.";
  if (dryRun) return "This was a dry run: nothing is published.";
  const told = [
    ...(metrics.length > 0 ? [count(metrics.length, "metric")] : []),
    ...plans.map((plan) => `plan ${plan.key}, version ${plan.version}`),
  ];
  return printable(`Published: ${told.join("; ") || "the default plan"}.`);
}
