import type { JsonObject } from "@bufbuild/protobuf";
import { AuditEntrySchema } from "../../../gen/usageflow/v1/audit_pb.ts";
import { type ExportAuditResponse, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { logFlags, logOf } from "../../audit/audit-flags.ts";
import { headText } from "../../audit/head-text.ts";
import { CliError } from "../../cli-error.ts";
import { EXPORT_WORDS, ExportCommand, type ExportedRows, exportFlags } from "../../export/export-command.ts";
import { bare } from "../../output/json.ts";

/** How many entries are written at a time. */
const ROWS_MAX = 100;

export default class ExportAudit extends ExportCommand {
  static override aliases = ["audit:export"];
  static override summary = "Write the audit log.";
  static override description =
    `The whole of it, or what was written in a span of time, from the first entry to the export itself. What it shows is the head of the log, which should be kept elsewhere: audit verify --head HEAD says later whether all of it is still there.

${EXPORT_WORDS}`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --out audit.ndjson",
    "<%= config.bin %> <%= command.id %> --from 2015-05-01 --before 2015-06-01 --format csv --out audit.csv",
    "<%= config.bin %> <%= command.id %> --out audit.ndjson --resume --json",
    "<%= config.bin %> <%= command.id %> --organization --out organization.ndjson",
  ];
  static override flags = { ...exportFlags, ...logFlags };

  override async run(): Promise<void> {
    const { flags } = await this.parse(ExportAudit);
    const service = await this.client(TenantService, flags, logOf(flags));
    let head = "";
    const tellHead = (text: string) => {
      head = text;
    };
    await this.export(flags, {
      noun: "audit",
      columns: [
        ...["sequence", "recordedAt", "action", "subject", "actor", "keyId", "address", "requestId", "refusal"],
        ...["leftOutCount", "request", "before", "after"],
      ],
      open: (asked, options) => rowsOf(service.exportAudit(asked, options), tellHead),
      beside: () => ({ head }),
    });
  }
}

async function* rowsOf(
  messages: AsyncIterable<ExportAuditResponse>,
  tellHead: (text: string) => void,
): AsyncIterable<ExportedRows> {
  let waiting: ExportedRows = { rows: [], resumeToken: "" };
  let ended = false;
  for await (const { part, resumeToken } of messages) {
    if (part.case === "head") {
      tellHead(headText(part.value));
      ended = true;
    } else if (part.case === "auditEntry") {
      waiting.rows.push(bare(AuditEntrySchema, part.value) as JsonObject);
    }
    waiting.resumeToken = resumeToken;
    if (waiting.rows.length < ROWS_MAX && !ended) continue;
    yield waiting;
    waiting = { rows: [], resumeToken };
  }
  if (!ended) throw new CliError("unavailable", "the export broke off before its end");
}
