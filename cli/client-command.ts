import type { DescMessage, DescService, JsonObject, JsonValue, MessageShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { BaseCommand } from "./base-command.ts";
import { bare } from "./output/json.ts";
import type { Column } from "./output/table.ts";
import type { Found } from "./pages.ts";
import { readSettings, type ServerFlags, type Settings, type SettingsFor } from "./settings.ts";

/** A command that calls a server. */
export abstract class ClientCommand extends BaseCommand {
  static override baseFlags = {
    url: Flags.string({
      description: "The server. Default: that of the profile in use, else the emulator that was started last.",
      env: "USAGEFLOW_URL",
      helpGroup: "GLOBAL",
    }),
    "api-key": Flags.string({
      description: "The API key, or a member's access token. Default: the profile's or the emulator's.",
      env: "USAGEFLOW_API_KEY",
      helpGroup: "GLOBAL",
    }),
    tenant: Flags.string({
      description:
        "With an access token, the tenant: live, test or its id. An API key says itself which. Default: the profile's.",
      env: "USAGEFLOW_TENANT",
      helpGroup: "GLOBAL",
    }),
    profile: Flags.string({
      description: "A server that was logged in to; emulator for the one that was started last.",
      env: "USAGEFLOW_PROFILE",
      helpGroup: "GLOBAL",
    }),
  };

  private readonly known = new Map<SettingsFor, Promise<Settings>>();

  /** A client of one service. */
  protected async client<S extends DescService>(
    service: S,
    flags: ServerFlags,
    about: SettingsFor = "tenant",
  ): Promise<Client<S>> {
    return this.clientOf(service, await this.settings(flags, about));
  }

  /** The same with another key than that of flags, variables and profiles: of the operator, or of an invite. */
  protected async clientWith<S extends DescService>(
    apiKey: string,
    service: S,
    flags: ServerFlags,
  ): Promise<Client<S>> {
    const own = { ...flags, "api-key": apiKey, tenant: undefined };
    return this.clientOf(service, await readSettings(own, [...this.argv, "--api-key"], (words) => this.say(words)));
  }

  private async clientOf<S extends DescService>(service: S, settings: Settings): Promise<Client<S>> {
    // Loaded when a server is called, and not when a flag is wrong.
    const [{ createClient }, { connect }] = await Promise.all([import("@connectrpc/connect"), import("./client.ts")]);
    return createClient(service, connect(settings));
  }

  /** Which server is called, and as whom. Read once: a command of several services says once what it uses. */
  protected settings(flags: ServerFlags, about: SettingsFor = "tenant"): Promise<Settings> {
    const known = this.known.get(about) ?? readSettings(flags, this.argv, (words) => this.say(words), about);
    this.known.set(about, known);
    return known;
  }

  /** Answers one message. */
  protected answerOne<S extends DescMessage>(schema: S, message: MessageShape<S>, text: () => string): void {
    this.answer(() => bare(schema, message), text);
  }

  /** Answers a list of messages, as its flags say. */
  protected answerList<S extends DescMessage>(
    name: string,
    schema: S,
    found: Found<MessageShape<S>>,
    columns: readonly Column<MessageShape<S>>[],
    beside: Record<string, JsonValue> = {},
  ): void {
    this.answerItems(name, found, columns, (item) => bare(schema, item) as JsonObject, beside);
  }
}
