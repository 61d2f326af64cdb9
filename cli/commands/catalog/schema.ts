import { BaseCommand } from "../../base-command.ts";
import { catalogSchema } from "../../catalog/catalog-schema.ts";

export default class CatalogSchemaCommand extends BaseCommand {
  static override summary = "Print the JSON Schema of a catalog file, for editors.";
  static override description =
    `With it an editor completes names and underlines mistakes while a catalog is written. Save it beside the file, and begin the file with:

  # yaml-language-server: $schema=catalog.schema.json

It is made from the contract, and knows names, values and limits. What depends on more than one field, such as the order of tiers, \`catalog diff\` tells.`;
  static override examples = ["<%= config.bin %> <%= command.id %> > catalog.schema.json"];

  override async run(): Promise<void> {
    await this.parse(CatalogSchemaCommand);
    const schema = catalogSchema();
    this.answer(
      () => schema,
      () => JSON.stringify(schema, null, 2),
    );
  }
}
