import { addAbortSignal } from "node:stream";
import { Args, Flags } from "@oclif/core";
import { UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { createProgress } from "../../output/progress.ts";
import { count, printable } from "../../output/text.ts";
import { stopError, stopSignal } from "../../stop-signal.ts";
import { importUsage, type Tally } from "../../usage/import-usage.ts";
import { openInput } from "../../usage/open-input.ts";
import { readLines } from "../../usage/read-lines.ts";

const PROBLEMS_TOLD_MAX = 20;

export default class UsageImport extends ClientCommand {
  static override summary = "Send usage events from a file, one JSON object a line.";
  static override description =
    `Each line is the body of POST /api/track: metric, amount, customerId, and better than not idempotencyKey and occurredAt; if wanted properties.

An import may be run again, whole or after it broke off: nothing is counted twice. A line should carry its event's idempotencyKey. One without gets a key from its content and from how many equal lines stand before it in the file. So an equal line in another file, tomorrow's for instance, counts as the same event, and is a duplicate.

Lines that were not stored are named on stderr, the rest goes in, and the exit code is 1.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> events.ndjson",
    "zcat events.ndjson.gz | <%= config.bin %> <%= command.id %> - --json",
  ];
  static override args = { file: Args.string({ required: true, description: "The file, or - for stdin." }) };
  static override flags = {
    backfill: Flags.boolean({ description: "Take events older than the tenant's backfill window too." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(UsageImport);
    const stop = stopSignal();
    const chunks = addAbortSignal(stop, await openInput(args.file));
    const usage = await this.client(UsageService, flags);
    const progress = createProgress();
    let problems = 0;
    let interchangeable = 0;
    let sent = 0;
    let tally: Tally;
    try {
      tally = await importUsage(usage, {
        lines: readLines(chunks),
        backfill: flags.backfill,
        signal: stop,
        onProblem: (line, problem) => {
          if (++problems > PROBLEMS_TOLD_MAX) return;
          progress.end();
          process.stderr.write(`line ${line}: ${printable(problem)}\n`);
        },
        onInterchangeable: () => {
          interchangeable++;
        },
        onProgress: (so) => {
          sent = so.accepted + so.duplicate + so.conflict + so.rejected;
          progress.show(`${count(sent, "event")} sent`);
        },
      });
    } catch (error) {
      if (!stop.aborted) throw error;
      throw stopError(
        stop,
        `stopped after ${count(sent, "event")}`,
        "Run it again to go on: nothing is counted twice.",
      );
    } finally {
      progress.end();
    }
    if (problems > PROBLEMS_TOLD_MAX) process.stderr.write(`and ${problems - PROBLEMS_TOLD_MAX} more\n`);
    if (interchangeable > 0) {
      process.stderr.write(
        `${count(interchangeable, "line")} with neither idempotencyKey nor occurredAt: equal lines of another file count as the same events\n`,
      );
    }
    this.answer(
      () => tally,
      () =>
        Object.entries(tally)
          .map(([outcome, n]) => `${outcome} ${n.toLocaleString("en")}`)
          .join("  "),
    );
    if (problems > 0) process.exitCode = 1;
  }
}
