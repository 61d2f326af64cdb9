import { Args, Flags } from "@oclif/core";
import { ErrorReason, ErrorReasonSchema } from "../../../gen/usageflow/v1/error_pb.ts";
import {
  UsageOutcome,
  UsageOutcomeSchema,
  type UsageResult,
  UsageResultSchema,
} from "../../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { CliError, type CliErrorCode } from "../../cli-error.ts";
import { ClientCommand } from "../../client-command.ts";
import { fieldWords } from "../../output/rule-words.ts";
import { facts } from "../../output/table.ts";
import { word } from "../../output/text.ts";
import { timeFlag } from "../../time.ts";

const STORED: readonly UsageOutcome[] = [UsageOutcome.ACCEPTED, UsageOutcome.DUPLICATE];

/** What the command takes for the fields of an event. */
const TAKEN = ["METRIC", "AMOUNT", "--customer", "--key", "--at", "--property"];

/** Kinds of failure of what is refused for what it says. */
const REFUSALS: Partial<Record<ErrorReason, CliErrorCode>> = {
  [ErrorReason.INVALID_FIELD]: "usage",
  [ErrorReason.INVALID_AMOUNT]: "usage",
  [ErrorReason.TIME_AHEAD]: "usage",
  [ErrorReason.TIME_TOO_OLD]: "usage",
  [ErrorReason.UNKNOWN_METRIC]: "not_found",
};

/** A property as `NAME=VALUE`. */
const propertyFlag = Flags.custom<{ name: string; value: string }>({
  helpValue: "NAME=VALUE",
  parse: async (text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new CliError("usage", `"${text}" is no property: write it like region=eu`);
    return { name: text.slice(0, at), value: text.slice(at + 1) };
  },
});

export default class UsageTrack extends ClientCommand {
  static override summary = "Report one usage event.";
  static override description =
    "With a key it may be sent again: the same event is counted once, and another under its key is a conflict (exit code 5). Many events go faster with `usage import`, and applications send them with `POST /api/track`.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> API_CALL 1000 --customer user_123",
    "<%= config.bin %> <%= command.id %> API_CALL 1 --customer user_123 --key req_8f14 --at 2015-05-20T10:00:00Z --property region=eu",
  ];
  static override args = {
    metric: Args.string({ required: true, description: "Key of the metric." }),
    amount: Args.string({ description: "How much, such as 1000 or 0.5. Not needed where events are counted." }),
  };
  static override flags = {
    customer: Flags.string({ description: "Your own id for the customer.", required: true }),
    key: Flags.string({ description: "Idempotency key: names the event for ever. Default: the server makes one." }),
    at: timeFlag({ description: "When it happened. Default: the tenant's now." }),
    property: propertyFlag({ description: "A fact about it. May be given again.", multiple: true }),
    backfill: Flags.boolean({ description: "Take it though it is older than the tenant's backfill window." }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(UsageTrack);
    const service = await this.client(UsageService, flags);
    const event = {
      metric: args.metric,
      amount: args.amount ?? "",
      customerId: flags.customer,
      idempotencyKey: flags.key ?? "",
      properties: Object.fromEntries((flags.property ?? []).map(({ name, value }) => [name, value])),
      ...(flags.at && { occurredAt: flags.at }),
    };
    const [result] = (await service.trackUsage({ events: [event], backfill: flags.backfill })).results;
    if (result && !STORED.includes(result.outcome)) throw refusal(result);
    this.answerOne(UsageResultSchema, result as UsageResult, () =>
      facts({
        Outcome: word(UsageOutcomeSchema, result?.outcome ?? UsageOutcome.UNSPECIFIED),
        Key: result?.idempotencyKey ?? "",
      }),
    );
  }
}

function refusal({ outcome, reason, field, message }: UsageResult): CliError {
  const kind = outcome === UsageOutcome.CONFLICT ? "failed_precondition" : (REFUSALS[reason] ?? "failed");
  const name = ErrorReasonSchema.value[reason]?.name.replace("ERROR_REASON_", "") ?? "";
  return new CliError(kind, fieldWords(message, field, TAKEN), { reason: name, field });
}
