import { Args, Flags } from "@oclif/core";
import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointFlags, parseHeaders, parseMetadata } from "../../endpoints/endpoint-flags.ts";
import { endpointText } from "../../output/endpoint.ts";

export default class EndpointsUpdate extends ClientCommand {
  static override summary = "Change a webhook endpoint.";
  static override description =
    "What is not given stays as it is. Deliveries that wait go to the new URL. With --ordered they wait for those before them of the same customer, with --no-ordered no more.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --to https://example.com/webhooks",
    "<%= config.bin %> <%= command.id %> whe_01K0J1ZD8Q5x2nS7mXvTf3 --event 'invoice.*'",
  ];
  static override args = {
    endpoint: Args.string({ required: true, description: "Its id (whe_...), from endpoints list." }),
  };
  static override flags = {
    to: Flags.string({ description: "Where events are POSTed to from now on.", helpValue: "URL" }),
    ...endpointFlags,
    "no-headers": Flags.boolean({ description: "Send no headers of your own any more.", exclusive: ["header"] }),
    "no-metadata": Flags.boolean({ description: "Take all notes away.", exclusive: ["metadata"] }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(EndpointsUpdate);
    const { to, event, description, header, metadata: notes, ordered } = flags;
    const caps = [flags["max-per-second"], flags["max-in-flight"]];
    const changes = [to, event, description, header, notes, ordered, ...caps];
    if (changes.every((one) => one === undefined) && !flags["no-headers"] && !flags["no-metadata"]) {
      throw new CliError("usage", "nothing is changed: give --to, --event or another flag; see --help");
    }
    const headers = flags["no-headers"] ? [] : flags.header;
    const metadata = flags["no-metadata"] ? [] : flags.metadata;
    const replaced = {
      ...(headers ? { headers: { values: parseHeaders(headers) } } : {}),
      ...(metadata ? { metadata: { values: parseMetadata(metadata) } } : {}),
    };
    const service = await this.client(WebhookService, flags);
    const before = (await service.getEndpoint({ id: args.endpoint })).endpoint as Endpoint;
    const updated = await service.updateEndpoint({
      id: before.id,
      url: flags.to ?? before.url,
      description: flags.description ?? before.description,
      eventTypes: flags.event ?? before.eventTypes,
      ...replaced,
      ...(flags["max-per-second"] === undefined ? {} : { maxPerSecond: flags["max-per-second"] }),
      ...(flags["max-in-flight"] === undefined ? {} : { maxInFlight: flags["max-in-flight"] }),
      ...(ordered === undefined ? {} : { ordered }),
    });
    const endpoint = updated.endpoint as Endpoint;
    this.answerOne(EndpointSchema, endpoint, () => endpointText(endpoint));
    this.say(`Changed ${endpoint.id}.`);
    if (endpoint.disabledAt) this.say(`It is disabled. Send to it again: usageflow endpoints resume ${endpoint.id}`);
  }
}
