import { type Endpoint, EndpointSchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { endpointState } from "../../output/endpoint.ts";
import type { Column } from "../../output/table.ts";
import { moment } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";

const columns: Column<Endpoint>[] = [
  { title: "ENDPOINT", value: (endpoint) => endpoint.id },
  { title: "STATE", value: endpointState },
  { title: "URL", value: (endpoint) => endpoint.url || `listener ${endpoint.listenerName}`, cut: "last" },
  { title: "EVENTS", value: (endpoint) => endpoint.eventTypes.join(", ") || "*", cut: true },
  { title: "PAUSED", value: (endpoint) => moment(endpoint.pausedAt), spare: true },
  { title: "MADE", value: (endpoint) => moment(endpoint.createdAt), spare: true },
];

export default class EndpointsList extends ClientCommand {
  static override summary = "List webhook endpoints, oldest first.";
  static override description = "An endpoint is a URL that receives events. What was sent to it: deliveries list.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = listFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(EndpointsList);
    const service = await this.client(WebhookService, flags);
    const found = await readPages(
      flags,
      (page) => service.listEndpoints(page),
      (answer) => answer.endpoints,
    );
    this.answerList("endpoints", EndpointSchema, found, columns);
  }
}
