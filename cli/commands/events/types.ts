import { Args, Flags } from "@oclif/core";
import { type EventType, EventTypeSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { cutTo, listFlags } from "../../pages.ts";

const columns: Column<EventType>[] = [
  { title: "TYPE", value: ({ type }) => type },
  { title: "WHEN", value: ({ description }) => description, cut: true },
];

export default class EventsTypes extends ClientCommand {
  static override summary = "List the types of events, or show the body of one.";
  static override description =
    "With a type: a body as it could be sent, or with --schema the JSON Schema of such bodies. With --json: all of this, and with a type all of it for that one.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> invoice.finalized",
    "<%= config.bin %> <%= command.id %> invoice.finalized --schema > invoice.finalized.schema.json",
  ];
  static override args = { type: Args.string({ description: "A type, such as invoice.finalized." }) };
  static override flags = {
    schema: Flags.boolean({ description: "The JSON Schema of the bodies of a type." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EventsTypes);
    if (flags.schema && args.type === undefined) throw new CliError("usage", "--schema is of one type: name it");
    const service = await this.client(WebhookService, flags);
    const { eventTypes } = await service.listEventTypes({});
    if (args.type === undefined) {
      return this.answerList("eventTypes", EventTypeSchema, cutTo(flags, eventTypes), columns);
    }
    const found = eventTypes.find(({ type }) => type === args.type);
    if (!found) {
      const hint = "See them all: usageflow events types";
      throw new CliError("not_found", `there is no event type "${args.type}"`, { hint });
    }
    this.answerOne(EventTypeSchema, found, () => JSON.stringify(flags.schema ? found.schema : found.sample, null, 2));
  }
}
