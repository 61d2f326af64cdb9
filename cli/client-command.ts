import type { DescMessage, DescService, JsonObject, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { BaseCommand } from "./base-command.ts";
import { connect } from "./client.ts";
import { bare } from "./output/json.ts";
import { listing, listingText, yamlText } from "./output/listing.ts";
import type { Column } from "./output/table.ts";
import type { Found } from "./pages.ts";
import { readSettings, type ServerFlags } from "./settings.ts";

/** A command that calls a server. */
export abstract class ClientCommand extends BaseCommand {
  static override baseFlags = {
    url: Flags.string({
      description: "The server. Default: the emulator that was started last.",
      env: "USAGEFLOW_URL",
      helpGroup: "GLOBAL",
    }),
    "api-key": Flags.string({
      description: "The API key, which also says for which tenant. Default: the emulator's.",
      env: "USAGEFLOW_API_KEY",
      helpGroup: "GLOBAL",
    }),
  };

  /** A client of one service. */
  protected async client<S extends DescService>(service: S, flags: ServerFlags): Promise<Client<S>> {
    return createClient(service, connect(await readSettings(flags, (words) => this.say(words))));
  }

  /** Answers one message. */
  protected answerOne<S extends DescMessage>(schema: S, message: MessageShape<S>, text: () => string): void {
    this.answer(() => bare(schema, message), text);
  }

  /**
   * Answers a list, as its flags say: under `--json` as `{"<name>": [...]}`, with what belongs beside it; else as a table,
   * YAML or CSV.
   */
  protected answerList<S extends DescMessage>(
    name: string,
    schema: S,
    { items, more, showing = {} }: Found<MessageShape<S>>,
    columns: readonly Column<MessageShape<S>>[],
    beside: Record<string, JsonValue> = {},
  ): void {
    const listed = items.map((item) => ({ item, json: () => bare(schema, item) as JsonObject }));
    const list = listing(listed, columns, this.jsonEnabled() ? { ...showing, output: "json" } : showing);
    const whole = () => ({ [name]: list.items.map(({ json }) => json()), ...beside });
    this.answer(whole, () => (showing.output === "yaml" ? yamlText(whole()) : listingText(list, showing.output)));
    if (items.length === 0)
      this.say(`Nothing to show: no ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}.`);
    if (more) this.say(`These are the first ${items.length}. --all shows all.`);
  }
}
