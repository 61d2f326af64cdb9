import { Args } from "@oclif/core";
import { AuditEntrySchema, type AuditHead } from "../../../gen/usageflow/v1/audit_pb.ts";
import { type ExportAuditResponse, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { logFlags, logOf } from "../../audit/audit-flags.ts";
import { headText } from "../../audit/head-text.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { bare } from "../../output/json.ts";
import { writeWhole } from "../../write-file.ts";

export default class AuditExport extends ClientCommand {
  static override summary = "Write the whole audit log into a file.";
  static override description =
    "One entry a line, as JSON, from the first to the export itself. What it shows is the head of the log: audit verify --head HEAD says later whether all of it is still there.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> audit.ndjson",
    "<%= config.bin %> <%= command.id %> audit.ndjson --json",
  ];
  static override flags = logFlags;
  static override args = { file: Args.string({ description: "Where to write to.", required: true }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(AuditExport);
    const service = await this.client(TenantService, flags, logOf(flags));
    const seen: Seen = { entries: 0 };
    await writeWhole(
      args.file,
      linesOf(() => service.exportAudit({}), seen),
      0o600,
    ).catch((error) => {
      throw seen.failure ?? error; // what the server said, and not what became of the file
    });
    const head = seen.head ? headText(seen.head) : "";
    this.answer(
      () => ({ file: args.file, entries: seen.entries, head }),
      () => head,
    );
    this.say(
      `${seen.entries === 1 ? "1 entry" : `${seen.entries.toLocaleString("en")} entries`} in ${args.file}. Keep the head above.`,
    );
  }
}

interface Seen {
  entries: number;
  head?: AuditHead;
  failure?: unknown;
}

async function* linesOf(open: () => AsyncIterable<ExportAuditResponse>, seen: Seen): AsyncIterable<string> {
  try {
    for await (const { part } of open()) {
      if (part.case === "head") seen.head = part.value;
      if (part.case !== "auditEntry") continue;
      seen.entries += 1;
      yield `${JSON.stringify(bare(AuditEntrySchema, part.value))}\n`;
    }
    if (!seen.head) throw new CliError("unavailable", "the export broke off before its end; try again");
  } catch (error) {
    seen.failure = error;
    throw error;
  }
}
