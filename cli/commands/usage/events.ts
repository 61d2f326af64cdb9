import { Flags } from "@oclif/core";
import {
  type UsageEvent,
  UsageEventSchema,
  type UsageVoid,
  UsageVoidSchema,
} from "../../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { bare } from "../../output/json.ts";
import type { Column } from "../../output/table.ts";
import { time } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

const columns: Column<UsageEvent>[] = [
  { title: "OCCURRED", value: (event) => time(event.occurredAt) },
  { title: "METRIC", value: (event) => event.metric },
  { title: "AMOUNT", value: (event) => event.amount, right: true },
  { title: "CUSTOMER", value: (event) => event.customerId, cut: true },
  { title: "KEY", value: (event) => event.idempotencyKey, cut: "last" },
];

/** When an event was voided: a column that is there when one was. */
function voidedColumn(voids: readonly UsageVoid[]): Column<UsageEvent> {
  const atOf = new Map(voids.map((one) => [one.idempotencyKey, one.voidedAt]));
  return { title: "VOIDED", value: (event) => time(atOf.get(event.idempotencyKey)), spare: true };
}

export default class UsageEvents extends ClientCommand {
  static override summary = "List usage events as they were stored, newest first.";
  static override description =
    "Newest by the time at which they occurred. The last column is an event's idempotency key, which `usage explain` takes.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --customer user_123 --metric API_CALL --from 2015-05-01",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    metric: Flags.string({ description: "Only of this metric." }),
    key: Flags.string({ description: "Only the one with this idempotency key." }),
    from: timeFlag({ description: "Only those that occurred then or later." }),
    to: timeFlag({ description: "Only those that occurred before." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(UsageEvents);
    const service = await this.client(UsageService, flags);
    const filter = {
      customerId: flags.customer ?? "",
      metric: flags.metric ?? "",
      idempotencyKey: flags.key ?? "",
      ...(flags.from && { start: flags.from }),
      ...(flags.to && { end: flags.to }),
    };
    const voids: UsageVoid[] = [];
    const found = await readPages(
      flags,
      (page) => service.listUsageEvents({ ...filter, ...page }),
      (answer) => {
        voids.push(...answer.voids);
        return answer.usageEvents;
      },
    );
    const shown = voids.length > 0 ? [...columns, voidedColumn(voids)] : columns;
    this.answerList("usageEvents", UsageEventSchema, found, shown, {
      voids: voids.map((one) => bare(UsageVoidSchema, one)),
    });
  }
}
