import { createClient } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { type AuditEntry, AuditEntrySchema } from "../../../gen/usageflow/v1/audit_pb.ts";
import { type TailAuditEntriesResponse, TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { auditFilter, auditFlags, logFlags, logOf } from "../../audit/audit-flags.ts";
import { CliError } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { longStream } from "../../listen/long-stream.ts";
import { auditLine } from "../../output/audit.ts";
import { bare } from "../../output/json.ts";
import { printable } from "../../output/text.ts";
import { stopSignal } from "../../stop-signal.ts";

export default class AuditTail extends ClientCommand {
  static override summary = "Show entries of the audit log as they are written.";
  static override description =
    "None is missed, and after a disconnect it goes on where it stopped. With --json each line is an entry; its sequence is where --after goes on from.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --refused",
    "<%= config.bin %> <%= command.id %> --after 1200 --json",
  ];
  static override flags = {
    ...logFlags,
    ...auditFlags,
    after: Flags.integer({ description: "Begin after this entry. Default: with what comes now.", min: 0 }),
    count: Flags.integer({ description: "End after this many.", min: 1 }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(AuditTail);
    const settings = await this.settings(flags, logOf(flags));
    const stop = stopSignal();
    const end = new AbortController();
    stop.addEventListener("abort", () => end.abort(), { once: true });
    const filter = auditFilter(flags);
    let place = flags.after === undefined ? undefined : BigInt(flags.after);
    const stream = longStream<TailAuditEntriesResponse>({
      settings,
      stop: end.signal,
      open: (transport, signal) => {
        const from = place === undefined ? {} : { afterSequence: place };
        return createClient(TenantService, transport).tailAuditEntries({ filter, ...from }, { signal, timeoutMs: 0 });
      },
      onBreak: (why) => this.say(`The connection is lost: ${printable(why)}. Connecting again.`),
    });
    let seen = 0;
    for await (const { auditEntry, sequence } of stream) {
      place = sequence;
      if (!auditEntry || end.signal.aborted) continue;
      this.tell(auditEntry);
      if (++seen === flags.count) end.abort();
    }
    if (stop.aborted) throw new CliError("interrupted", `stopped after ${seen === 1 ? "1 entry" : `${seen} entries`}`);
  }

  private tell(entry: AuditEntry): void {
    this.print(this.jsonEnabled() ? JSON.stringify(bare(AuditEntrySchema, entry)) : auditLine(entry));
  }
}
