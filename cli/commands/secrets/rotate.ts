import { systemClock } from "../../../server/clock.ts";
import { rotateSecrets } from "../../../server/rotate-secrets.ts";
import { isSealed, readSecretUse } from "../../../server/secret-use.ts";
import { DatabaseCommand } from "../../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../../database-url.ts";
import { createProgress } from "../../output/progress.ts";
import { count } from "../../output/text.ts";
import { stopSignal } from "../../stop-signal.ts";

export default class SecretsRotate extends DatabaseCommand {
  static override summary = "Encrypt everything anew with the master key of today.";
  static override description =
    `Webhook secrets and headers, and stored answers, that another master key encrypted. The environment gives USAGEFLOW_MASTER_KEY, USAGEFLOW_KEY_PEPPER and USAGEFLOW_OTHER_MASTER_KEYS: those that the servers have.

Servers may be at work. Stopped and run again, it goes on where it was; run once more, it changes nothing. The exit code is 1 when something is left: run it again, and see secrets show.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --owner-url postgres://owner@localhost/usageflow",
    "USAGEFLOW_OWNER_DATABASE_URL=postgres://owner@localhost/usageflow <%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = { "owner-url": ownerUrlFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(SecretsRotate);
    const ownerUrl = ownerUrlOf(flags);
    const secrets = this.environmentSecrets();
    const stop = stopSignal();
    const progress = createProgress();
    const onSealed = (sealed: number) => progress.show(`${count(sealed, "value")} encrypted anew`);
    const { sealed, unreadable } = await rotateSecrets(ownerUrl, secrets, { stop, onSealed }).finally(progress.end);
    const uses = await readSecretUse(ownerUrl, secrets, systemClock.now());
    const left = uses.filter((use) => isSealed(use) && use.key !== "today").reduce((sum, use) => sum + use.count, 0);
    this.answer(
      () => ({ sealed, left, unreadable }),
      () => "",
    );
    this.say(`${count(sealed, "value")} encrypted anew, ${left === 0 ? "none" : left} left.`);
    if (unreadable > 0)
      this.say(`${count(unreadable, "value")} did not open: a master key is missing, or they were moved.`);
    if (left > 0) process.exitCode = 1;
  }
}
