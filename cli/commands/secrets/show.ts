import { systemClock } from "../../../server/clock.ts";
import { readSecretUse, type SecretUse } from "../../../server/secret-use.ts";
import { DatabaseCommand } from "../../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../../database-url.ts";
import { type Column, table } from "../../output/table.ts";

const WORDS: Record<SecretUse["key"], string> = {
  today: "of today",
  other: "another that is given",
  missing: "not given here",
  unknown: "not known before its next use",
};

const columns: Column<SecretUse>[] = [
  { title: "WHAT", value: (use) => use.what },
  { title: "COUNT", value: (use) => String(use.count), right: true },
  { title: "KEY ID", value: (use) => use.keyId },
  { title: "KEY", value: (use) => WORDS[use.key] },
];

export default class SecretsShow extends DatabaseCommand {
  static override summary = "Show how much depends on which master key and pepper. No secret is shown.";
  static override description =
    "A key on which nothing depends any more may be put away. The environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER, and the other keys where there are some: those that the servers have.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --owner-url postgres://owner@localhost/usageflow",
    "USAGEFLOW_OWNER_DATABASE_URL=postgres://owner@localhost/usageflow <%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = { "owner-url": ownerUrlFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(SecretsShow);
    const ownerUrl = ownerUrlOf(flags);
    const secrets = this.environmentSecrets();
    const uses = await readSecretUse(ownerUrl, secrets, systemClock.now());
    this.answer(
      () => ({ uses }),
      () => (uses.length > 0 ? table(columns, uses) : ""),
    );
    if (uses.length === 0) this.say("Nothing to show: nothing depends on a key yet.");
  }
}
