import type { JsonObject } from "@bufbuild/protobuf";
import { DeliverySchema } from "../../../gen/usageflow/v1/webhook_pb.ts";
import { type ExportDeliveriesResponse, WebhookService } from "../../../gen/usageflow/v1/webhook_service_pb.ts";
import { EXPORT_WORDS, ExportCommand, type ExportedRows, exportFlags } from "../../export/export-command.ts";
import { bare } from "../../output/json.ts";

export default class ExportDeliveries extends ExportCommand {
  static override summary = "Write deliveries of webhooks.";
  static override description =
    `Those that were made in a span of time, the first first, each with how often it was sent and how it was answered last. They are kept for a time only: see the page on retention.

${EXPORT_WORDS}`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --from 2015-05-01 --before 2015-06-01 --format csv --out deliveries.csv",
    "<%= config.bin %> <%= command.id %> --out deliveries.ndjson --resume --json",
  ];
  static override flags = exportFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ExportDeliveries);
    const service = await this.client(WebhookService, flags);
    await this.export(flags, {
      noun: "deliveries",
      columns: [
        ...["id", "eventId", "eventType", "customerId", "endpointId", "sequence", "state", "createdAt", "completedAt"],
        ...["attemptCount", "lastStatus", "lastError", "nextAttemptAt"],
      ],
      open: (asked, options) => rowsOf(service.exportDeliveries(asked, options)),
    });
  }
}

async function* rowsOf(messages: AsyncIterable<ExportDeliveriesResponse>): AsyncIterable<ExportedRows> {
  for await (const { deliveries, resumeToken } of messages) {
    const rows = deliveries.map((delivery) => {
      const { attempts: _, ...row } = bare(DeliverySchema, delivery) as JsonObject;
      return row;
    });
    yield { rows, resumeToken };
  }
}
