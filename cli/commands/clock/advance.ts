import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { ClockSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { advanceClock } from "../../advance-clock.ts";
import { ClientCommand } from "../../client-command.ts";
import { createProgress } from "../../output/progress.ts";
import { time } from "../../output/text.ts";
import { spanFlag, timeFlag } from "../../time.ts";

export default class ClockAdvance extends ClientCommand {
  static override summary = "Advance a test tenant's clock, and wait until all work that falls due is done.";
  static override description =
    "Periods that end on the way are invoiced, in order, as if the time had passed. A clock never goes back. Webhooks are sent, and their delivery is not waited for.";
  static override examples = [
    "<%= config.bin %> <%= command.id %> --to 2015-06-02T00:00:00Z",
    "<%= config.bin %> <%= command.id %> --by 10d",
    "<%= config.bin %> <%= command.id %> --by 1h30m --json",
  ];
  static override flags = {
    to: timeFlag({
      description: "To this time, such as 2015-06-02T00:00:00Z or 2015-06-02.",
      exactlyOne: ["to", "by"],
    }),
    by: spanFlag({ description: "By this much, such as 10d or 1h30m." }),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(ClockAdvance);
    const service = await this.client(TenantService, flags);
    const progress = createProgress();
    const destination = flags.to
      ? ({ case: "to", value: flags.to } as const)
      : ({ case: "by", value: create(DurationSchema, { seconds: flags.by as bigint }) } as const);
    const clock = await advanceClock(service, destination, (at) => progress.show(`clock at ${time(at.now)}`)).finally(
      () => progress.end(),
    );
    this.answerOne(ClockSchema, clock, () => `The clock shows ${time(clock.now)} UTC, and all that fell due is done.`);
  }
}
