import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Command } from "@oclif/core";
import { listing, listingText, yamlText } from "./output/listing.ts";
import type { Column } from "./output/table.ts";
import type { Found } from "./pages.ts";
import { wantsJson } from "./wants-json.ts";

/** What all commands share: data on stdout, words on stderr, and `--json`. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;

  override jsonEnabled(): boolean {
    return wantsJson(this.argv);
  }

  /** Answers on stdout: `json` as it is under `--json` (one line unless a person looks), else `text` for people. */
  protected answer(json: () => unknown, text: () => string): void {
    if (this.jsonEnabled()) this.print(JSON.stringify(json(), null, process.stdout.isTTY ? 2 : 0));
    else this.print(text());
  }

  /**
   * Answers a list, as its flags say: under `--json` as `{"<name>": [...]}`, with what belongs beside it; else as a table,
   * YAML or CSV.
   */
  protected answerItems<Item>(
    name: string,
    { items, more, showing = {} }: Found<Item>,
    columns: readonly Column<Item>[],
    jsonOf: (item: Item) => JsonObject,
    beside: Record<string, JsonValue> = {},
  ): void {
    const listed = items.map((item) => ({ item, json: () => jsonOf(item) }));
    const list = listing(listed, columns, this.jsonEnabled() ? { ...showing, output: "json" } : showing);
    const whole = () => ({ [name]: list.items.map(({ json }) => json()), ...beside });
    this.answer(whole, () => (showing.output === "yaml" ? yamlText(whole()) : listingText(list, showing.output)));
    if (items.length === 0)
      this.say(`Nothing to show: no ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}.`);
    if (more) this.say(`These are the first ${items.length}. --all shows all.`);
  }

  /** One line, or several, on stdout. */
  protected print(text: string): void {
    if (text !== "") process.stdout.write(`${text}\n`);
  }

  /** Words for people, on stderr. Under `--json` nothing but an error stands there. */
  protected say(text: string): void {
    if (!this.jsonEnabled()) process.stderr.write(`${text}\n`);
  }

  /** Errors go on to `main.ts`, which tells them all in one way. oclif's own way dumps its state under `--json`. */
  protected override async catch(error: Error): Promise<never> {
    throw error;
  }
}
