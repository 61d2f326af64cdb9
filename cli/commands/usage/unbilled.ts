import { Flags } from "@oclif/core";
import { UnbilledReasonSchema, type UnbilledUsage, UnbilledUsageSchema } from "../../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import type { Column } from "../../output/table.ts";
import { time, word } from "../../output/text.ts";
import { listFlags, readPages } from "../../pages.ts";
import { timeFlag } from "../../time.ts";

const columns: Column<UnbilledUsage>[] = [
  { title: "CUSTOMER", value: (usage) => usage.customerId, cut: true },
  { title: "METRIC", value: (usage) => usage.metric },
  { title: "MONTH", value: (usage) => time(usage.month).slice(0, "2015-05".length) },
  { title: "REASON", value: (usage) => word(UnbilledReasonSchema, usage.reason) },
  { title: "QUANTITY", value: (usage) => usage.quantity, right: true },
  { title: "EVENTS", value: (usage) => String(usage.eventCount), right: true },
];

export default class UsageUnbilled extends ClientCommand {
  static override summary = "List usage that is on no bill, and why.";
  static override description =
    "By customer, metric and month: usage at a time without a subscription, of a metric or with properties for which the plan has no price, or whose invoice is void (late). What comes after its period's invoice was final is on the next one.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --customer user_123 --from 2015-05-01 --to 2015-06-01",
    "<%= config.bin %> <%= command.id %> --all --json",
  ];
  static override flags = {
    customer: Flags.string({ description: "Only this customer's." }),
    from: timeFlag({ description: "Only usage of this time or later." }),
    to: timeFlag({ description: "Only usage before this time." }),
    ...listFlags,
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(UsageUnbilled);
    const service = await this.client(UsageService, flags);
    const filter = {
      customerId: flags.customer ?? "",
      ...(flags.from && { start: flags.from }),
      ...(flags.to && { end: flags.to }),
    };
    const { items, more, showing } = await readPages(
      flags,
      (page) => service.listUnbilledUsage({ ...filter, ...page }),
      (answer) => answer.unbilledUsage,
    );
    // A page is of so many customers, of whom each may have several rows.
    const shown = flags.all ? items : items.slice(0, flags.limit);
    const found = { items: shown, more: more || shown.length < items.length, ...(showing && { showing }) };
    this.answerList("unbilledUsage", UnbilledUsageSchema, found, columns);
  }
}
