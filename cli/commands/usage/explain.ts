import { Args } from "@oclif/core";
import {
  type UnbilledReason,
  UnbilledReasonSchema,
  type UsageBilling,
  UsageState,
  UsageStateSchema,
} from "../../../gen/usageflow/v1/usage_pb.ts";
import {
  type ExplainUsageEventResponse,
  ExplainUsageEventResponseSchema,
  UsageService,
} from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { type Column, facts, table } from "../../output/table.ts";
import { time, word } from "../../output/text.ts";

const columns: Column<UsageBilling>[] = [
  { title: "PLAN", value: (billing) => `${billing.plan}, version ${billing.planVersion}` },
  { title: "PRICE", value: (billing) => billing.priceKey },
  { title: "PERIOD", value: (billing) => time(billing.periodStart) },
  { title: "STATE", value: (billing) => stateText(billing) },
  { title: "INVOICE", value: (billing) => billing.invoiceNumber || billing.invoiceId },
];

export default class UsageExplain extends ClientCommand {
  static override summary = "Show what became of one usage event.";
  static override description =
    "Whether it is counted, in which hour's bucket, and for each price that it concerns on which invoice it is or will be billed; or that it is not billed, and why.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> order-1234",
    "<%= config.bin %> <%= command.id %> order-1234 --json",
  ];
  static override args = { key: Args.string({ required: true, description: "The event's idempotency key." }) };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(UsageExplain);
    const service = await this.client(UsageService, flags);
    const answer = await service.explainUsageEvent({ idempotencyKey: args.key });
    this.answerOne(ExplainUsageEventResponseSchema, answer, () => explanation(answer));
  }
}

function explanation(answer: ExplainUsageEventResponse): string {
  const { usageEvent, bucketHour, foldNumber, billings, voided } = answer;
  const head = facts({
    Event: usageEvent?.idempotencyKey ?? "",
    Usage: `${usageEvent?.amount} of ${usageEvent?.metric} by ${usageEvent?.customerId}`,
    Occurred: `${time(usageEvent?.occurredAt)} UTC`,
    Counted: bucketHour ? `in the hour of ${time(bucketHour)}, by fold ${foldNumber}` : "not yet",
    State: stateText(answer),
    Voided: voided ? `${time(voided.voidedAt)} UTC, by ${voided.keyId}: ${voided.reason}` : "",
  });
  return billings.length > 0 ? `${head}\n\n${table(columns, billings)}` : head;
}

/** Such as `open`, or `unbilled: no price`. */
function stateText({ state, unbilledReason }: { state: UsageState; unbilledReason: UnbilledReason }): string {
  const text = word(UsageStateSchema, state);
  return state === UsageState.UNBILLED ? `${text}: ${word(UnbilledReasonSchema, unbilledReason)}` : text;
}
