import type { JsonObject } from "@bufbuild/protobuf";
import { UsageEventSchema, UsageVoidSchema } from "../../../gen/usageflow/v1/usage_pb.ts";
import { type ExportUsageEventsResponse, UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { EXPORT_WORDS, ExportCommand, type ExportedRows, exportFlags } from "../../export/export-command.ts";
import { bare } from "../../output/json.ts";

export default class ExportUsage extends ExportCommand {
  static override summary = "Write usage events.";
  static override description =
    `Those that occurred in a span of time, one metric after the other, the first first. As JSON each is in the form that usage import reads; one that was voided says so in a field void.

${EXPORT_WORDS}`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --from 2015-05-01 --before 2015-06-01 --out usage.ndjson --resume",
    "<%= config.bin %> <%= command.id %> --format csv | gzip > usage.csv.gz",
    "<%= config.bin %> <%= command.id %> --out usage.ndjson --json",
  ];
  static override flags = exportFlags;

  override async run(): Promise<void> {
    const { flags } = await this.parse(ExportUsage);
    const service = await this.client(UsageService, flags);
    await this.export(flags, {
      noun: "usage",
      columns: [
        ...["idempotencyKey", "customerId", "metric", "amount", "occurredAt", "properties"],
        ...["void.voidedAt", "void.reason"],
      ],
      open: (asked, options) => rowsOf(service.exportUsageEvents(asked, options)),
    });
  }
}

async function* rowsOf(messages: AsyncIterable<ExportUsageEventsResponse>): AsyncIterable<ExportedRows> {
  for await (const { usageEvents, voids, resumeToken } of messages) {
    const voidOf = new Map(voids.map((one) => [one.idempotencyKey, bare(UsageVoidSchema, one)]));
    const rows = usageEvents.map((event) => {
      const takenBack = voidOf.get(event.idempotencyKey);
      return { ...(bare(UsageEventSchema, event) as JsonObject), ...(takenBack ? { void: takenBack } : {}) };
    });
    yield { rows, resumeToken };
  }
}
