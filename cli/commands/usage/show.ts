import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { Args, Flags } from "@oclif/core";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageInterval, type UsagePoint } from "../../../gen/usageflow/v1/usage_pb.ts";
import {
  type GetUsageResponse,
  GetUsageResponseSchema,
  UsageService,
} from "../../../gen/usageflow/v1/usage_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { bar } from "../../output/bar.ts";
import { type Column, table } from "../../output/table.ts";
import { count, timeIn } from "../../output/text.ts";
import type { ServerFlags } from "../../settings.ts";
import { timeFlag } from "../../time.ts";
import { monthStart, timeZoneFlag } from "../../time-zone.ts";
import { parseFilters } from "../../usage/dimension-filter.ts";

const INTERVALS = {
  hour: UsageInterval.HOUR,
  day: UsageInterval.DAY,
  month: UsageInterval.MONTH,
  period: UsageInterval.PERIOD,
};

const BAR_WIDTH = 24;
const HOUR_S = 3_600n;

interface SpanFlags {
  from?: Timestamp | undefined;
  to?: Timestamp | undefined;
  "time-zone": string;
}

export default class UsageShow extends ClientCommand {
  static override summary = "Show the usage of a metric over time, of one customer or of all.";
  static override description =
    "What was used in each hour, day, month or billing period, and in all. Billing periods are those of a customer's subscription, or else the tenant's months. Events are counted in the background; what still waits to be counted is told on stderr.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> API_CALL",
    "<%= config.bin %> <%= command.id %> API_CALL --customer user_123 --from 2015-05-01 --to 2015-06-01 --by month",
    "<%= config.bin %> <%= command.id %> API_CALL --by day --time-zone Europe/Berlin",
    "<%= config.bin %> <%= command.id %> API_CALL --filter region=eu --filter region=us --group-by region",
    "<%= config.bin %> <%= command.id %> API_CALL --json",
  ];
  static override args = { metric: Args.string({ required: true, description: "Key of the metric." }) };
  static override flags = {
    customer: Flags.string({ description: "Only this customer's. Default: that of all, as if they were one." }),
    from: timeFlag({ description: "From this time on. Default: the first of the tenant's month." }),
    to: timeFlag({ description: "Up to this time, and without it. Default: the end of the tenant's hour." }),
    by: Flags.option({
      options: ["hour", "day", "month", "period"] as const,
      description: "Cut into these.",
      default: "day",
    })(),
    "time-zone": timeZoneFlag({
      description: "Days and months are those of this time zone, and times are shown in it, such as Europe/Berlin.",
      default: "UTC",
    }),
    filter: Flags.string({
      multiple: true,
      helpValue: "PROPERTY=VALUE",
      description:
        "Only usage with this value of a dimension of the metric; again for one of several. PROPERTY alone: that has it. !PROPERTY: that has it not.",
    }),
    "group-by": Flags.string({
      multiple: true,
      helpValue: "PROPERTY",
      description: "Told apart by this dimension of the metric; again for several.",
    }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(UsageShow);
    const service = await this.client(UsageService, flags);
    const answer = await service.getUsage({
      metric: args.metric,
      customerId: flags.customer ?? "",
      interval: INTERVALS[flags.by],
      timeZone: flags["time-zone"],
      filter: parseFilters(flags.filter ?? []),
      groupBy: flags["group-by"] ?? [],
      ...(await this.span(flags)),
    });
    this.answerOne(GetUsageResponseSchema, answer, () =>
      seriesText(answer, { groupBy: flags["group-by"] ?? [], timeZone: flags["time-zone"] }),
    );
    const waiting = answer.progress?.pendingBatches ?? 0n;
    if (waiting > 0n) this.say(`Not all is counted yet: ${count(waiting, "commit")} of events to go.`);
  }

  /** The span that the flags say, and by the tenant's clock what they do not. */
  private async span(flags: ServerFlags & SpanFlags) {
    if (flags.from && flags.to) return { start: flags.from, end: flags.to };
    const { tenant } = await (await this.client(TenantService, flags)).getTenant({});
    const now = tenant?.clock?.now?.seconds ?? 0n;
    const end = flags.to ?? { seconds: now - (now % HOUR_S) + HOUR_S, nanos: 0 };
    const last = create(TimestampSchema, { seconds: end.seconds - 1n });
    return { start: flags.from ?? monthStart(last, flags["time-zone"]), end };
  }
}

/** A point of a series, and the group that it is of. */
interface Row {
  point: UsagePoint;
  whole: boolean;
  group: Record<string, string>;
}

/** How a series is to be shown. */
interface Showing {
  groupBy: readonly string[];
  timeZone: string;
}

function seriesText({ points, total, groups }: GetUsageResponse, { groupBy, timeZone }: Showing): string {
  const all = { points, total, dimensions: {} };
  const shown = groupBy.length > 0 ? [...groups, { ...all, points: [] }] : [all];
  const rows = shown.flatMap(({ points, total, dimensions: group }): Row[] => [
    ...points.map((point) => ({ point, group, whole: false })),
    ...(total ? [{ point: total, group, whole: true }] : []),
  ]);
  // Only for the bars, which are drawn to an eighth of a character: what is read stays the decimal that came.
  const most = Math.max(...rows.filter(({ whole }) => !whole).map(({ point }) => Number(point.quantity)));
  const columns: Column<Row>[] = [
    ...groupBy.map((property) => ({
      title: property,
      value: ({ group }: Row) => group[property] ?? "",
      cut: true as const,
    })),
    { title: "FROM", value: ({ point, whole }) => (whole ? "Total" : timeIn(timeZone, point.start)) },
    { title: "QUANTITY", value: ({ point }) => point.quantity, right: true },
    { title: "EVENTS", value: ({ point }) => String(point.eventCount), right: true },
  ];
  if (process.stdout.isTTY) {
    const share = ({ point, whole }: Row) => (whole || most <= 0 ? 0 : Math.max(0, Number(point.quantity) / most));
    columns.push({ title: "", value: (row) => bar(share(row), BAR_WIDTH), cut: true });
  }
  return table(columns, rows);
}
