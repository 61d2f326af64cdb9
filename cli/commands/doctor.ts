import { Flags } from "@oclif/core";
import { systemClock } from "../../server/clock.ts";
import { examine, type Finding, invariants } from "../../server/doctor/examine.ts";
import { parseId } from "../../server/id.ts";
import { CliError } from "../cli-error.ts";
import { DatabaseCommand } from "../database-command.ts";
import { ownerUrlFlag, ownerUrlOf } from "../database-url.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { findingsText } from "../output/doctor.ts";
import { createProgress } from "../output/progress.ts";
import { facts } from "../output/table.ts";
import { count } from "../output/text.ts";
import { stopSignal } from "../stop-signal.ts";

export default class Doctor extends DatabaseCommand {
  static override summary =
    "Look in the database for what must not be: lost usage, wrong totals, work that nobody does.";
  static override description =
    `What must hold is a list of invariants; --list shows it. Each that is broken is told with what it means and what to do, and the exit code is 1.

Servers may be at work: it reads only, over one connection, in small pieces, and rests after each as long as it took. When the time is up it says what it did not look at, and exits with 7 if nothing is broken. Hashes of the audit log are looked at when the environment gives USAGEFLOW_MASTER_KEY and USAGEFLOW_KEY_PEPPER, and the other keys where there are some: those that the servers have.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --owner-url postgres://owner@localhost/usageflow",
    "<%= config.bin %> <%= command.id %> --list",
    "<%= config.bin %> <%= command.id %> --only invoice-total --only usage-buckets --json",
  ];
  static override flags = {
    "owner-url": ownerUrlFlag,
    list: Flags.boolean({ description: "Say what is looked at, and look at nothing." }),
    only: Flags.string({
      description: "Look at this invariant alone. May be given more than once.",
      multiple: true,
      helpValue: "NAME",
    }),
    tenant: Flags.string({ description: "Look at one tenant alone.", helpValue: "TENANT" }),
    "time-limit": Flags.integer({ description: "Seconds that it may take.", default: 600, min: 1 }),
    "statement-timeout": Flags.integer({
      description: "Milliseconds that one statement may take. What takes longer is done in smaller pieces.",
      default: 5_000,
      min: 1,
    }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const { only = [] } = flags;
    const unknown = only.find((name) => invariants.every((one) => one.name !== name));
    if (unknown !== undefined)
      throw new CliError("usage", `there is no invariant "${unknown}"`, {
        hint: "See them all: usageflow doctor --list",
      });
    if (flags.list) return this.list();
    const tenantId = flags.tenant === undefined ? undefined : parseId("ten", flags.tenant);
    if (flags.tenant !== undefined && !tenantId)
      throw new CliError("usage", `"${flags.tenant}" is no id of a tenant`, { hint: "One looks like ten_0352SZB3..." });
    const progress = createProgress();
    const findings = await examine(ownerUrlOf(flags), {
      ...{ clock: systemClock, secrets: this.givenSecrets(), only, tenantId, stop: stopSignal() },
      ...{ timeMs: flags["time-limit"] * 1_000, statementMs: flags["statement-timeout"] },
      onLook: ({ name }, looked) => progress.show(`${name}: ${count(looked, "row")}`),
    }).finally(progress.end);
    this.tell(findings);
    if (only.length === 0 && findings.length < invariants.length)
      this.say("Hashes of the audit log were not looked at: the environment gives no keys.");
  }

  /** The keys of the environment, where there are some. A wrong one is told, not passed by. */
  private givenSecrets() {
    const { USAGEFLOW_MASTER_KEY: key, USAGEFLOW_KEY_PEPPER: pepper } = process.env;
    return key && pepper ? this.environmentSecrets() : undefined;
  }

  private list(): void {
    this.answer(
      () => ({ invariants: invariants.map(({ name, says, meaning, remedy }) => ({ name, says, meaning, remedy })) }),
      () => facts(Object.fromEntries(invariants.map(({ name, says }) => [name, says]))),
    );
  }

  private tell(findings: readonly Finding[]): void {
    const broken = findings.filter(({ violations }) => violations.length > 0).length;
    const unfinished = findings.filter((one) => one.unfinished.length > 0).length;
    this.answer(
      () => ({ invariants: findings.map(jsonOf), broken, unfinished }),
      () => findingsText(findings),
    );
    const whole = findings.length - broken;
    const holding = `${count(whole, "invariant")} ${whole === 1 ? "holds" : "hold"}`;
    this.say([holding, `${broken} broken`, ...(unfinished > 0 ? [`${unfinished} not looked through`] : [])].join(", "));
    if (broken > 0) process.exitCode = 1;
    else if (unfinished > 0) process.exitCode = exitCodeOf("deadline_exceeded");
  }
}

function jsonOf({ invariant, looked, violations, unfinished }: Finding) {
  const { name, says, meaning, remedy } = invariant;
  return { name, says, looked, violations, unfinished, ...(violations.length > 0 ? { meaning, remedy } : {}) };
}
