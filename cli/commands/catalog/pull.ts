import { Flags } from "@oclif/core";
import { type Catalog, CatalogSchema } from "../../../gen/usageflow/v1/pricing_pb.ts";
import { PricingService } from "../../../gen/usageflow/v1/pricing_service_pb.ts";
import { writeCatalog } from "../../catalog/write-catalog.ts";
import { ClientCommand } from "../../client-command.ts";

export default class CatalogPull extends ClientCommand {
  static override summary = "Print the catalog as it stands, as a file that can be pushed.";
  static override description =
    "All metrics, and the latest version of each plan. Pushed again, it changes nothing. A plan says the version that it is, so that a push can tell what others published since. For another tenant, whose versions are others, leave them out.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> > catalog.yaml",
    "<%= config.bin %> <%= command.id %> --no-versions > catalog.yaml",
    "<%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = {
    versions: Flags.boolean({ description: "Say the version of each plan.", default: true, allowNo: true }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(CatalogPull);
    const service = await this.client(PricingService, flags);
    const catalog = (await service.pullCatalog({})).catalog as Catalog;
    if (!flags.versions) for (const plan of catalog.plans) plan.version = 0;
    this.answerOne(CatalogSchema, catalog, () => writeCatalog(catalog).trimEnd());
  }
}
