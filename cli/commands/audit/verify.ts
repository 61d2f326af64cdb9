import type { Client } from "@connectrpc/connect";
import { Flags } from "@oclif/core";
import { AuditBreach, AuditBreachSchema } from "../../../gen/usageflow/v1/audit_pb.ts";
import { TenantService, type VerifyAuditResponse } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { logFlags, logOf } from "../../audit/audit-flags.ts";
import { headText, parseHead } from "../../audit/head-text.ts";
import { ClientCommand } from "../../client-command.ts";
import { createProgress } from "../../output/progress.ts";
import { word } from "../../output/text.ts";

const WORDS: Partial<Record<AuditBreach, string>> = {
  [AuditBreach.MISSING]: "is missing",
  [AuditBreach.CHANGED]: "is not what was written there",
  [AuditBreach.EXTRA]: "stands after the end of the log",
  [AuditBreach.KEY_UNKNOWN]: "was hashed with a master key that the server does not have",
};

const KEY_BEFORE =
  "If the key was changed, have the server's operator put the one before among USAGEFLOW_OTHER_MASTER_KEYS, and verify again.";

export default class AuditVerify extends ClientCommand {
  static override summary = "Check that nobody changed the audit log.";
  static override description =
    `The server works the hash of each entry out again, with a key that is not in the database. An entry that was deleted, changed, moved or slipped in is found; the exit code is 1 then.

Entries that were cut off at the end show only to who knows where it ended. Keep the head that this shows, elsewhere, and give it next time with --head.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --head 1200:5e1f... --json",
  ];
  static override flags = {
    ...logFlags,
    head: Flags.string({
      description: "A head that was kept: what it stands for must still be there.",
      helpValue: "HEAD",
    }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(AuditVerify);
    const known = flags.head === undefined ? undefined : parseHead(flags.head);
    const service = await this.client(TenantService, flags, logOf(flags));
    const asKnown = known && (await service.verifyAudit({ after: known }));
    this.tell(asKnown?.breach ? asKnown : await verifyAll(service));
  }

  private tell({ verified, head, breach, breachSequence }: VerifyAuditResponse): void {
    const end = head && head.sequence > 0n ? headText(head) : "";
    const isWhole = breach === AuditBreach.UNSPECIFIED;
    const wrong = isWhole ? {} : { breach: word(AuditBreachSchema, breach), entry: Number(breachSequence) };
    this.answer(
      () => ({ verified: Number(verified?.sequence ?? 0n), head: end, ...wrong }),
      () => (isWhole ? end : `Entry ${breachSequence} ${WORDS[breach]}.`),
    );
    if (isWhole) this.say(`${entries(verified?.sequence ?? 0n)} verified, all as written. Keep the head above.`);
    else process.exitCode = 1;
    if (breach === AuditBreach.KEY_UNKNOWN) this.say(KEY_BEFORE);
  }
}

/** From the first entry to the head, in as many calls as it takes. */
async function verifyAll(service: Client<typeof TenantService>): Promise<VerifyAuditResponse> {
  const progress = createProgress();
  try {
    for (let answer = await service.verifyAudit({}); ; ) {
      const { verified, head, breach } = answer;
      if (breach !== AuditBreach.UNSPECIFIED || !verified || verified.sequence === head?.sequence) return answer;
      progress.show(`${entries(verified.sequence)} verified`);
      answer = await service.verifyAudit({ after: verified });
    }
  } finally {
    progress.end();
  }
}

function entries(n: bigint): string {
  return n === 1n ? "1 entry" : `${n.toLocaleString("en")} entries`;
}
