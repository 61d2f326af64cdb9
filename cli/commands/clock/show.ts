import { type Clock, ClockSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { ClientCommand } from "../../client-command.ts";
import { facts } from "../../output/table.ts";
import { time } from "../../output/text.ts";

export default class ClockShow extends ClientCommand {
  static override summary = "Show the tenant's clock.";
  static override description =
    "The tenant's clock is its business time: it dates usage and ends periods. A test tenant's can stand still, and be advanced.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];

  override async run(): Promise<void> {
    const { flags } = await this.parse(ClockShow);
    const service = await this.client(TenantService, flags);
    const clock = (await service.getTenant({})).tenant?.clock as Clock;
    this.answerOne(ClockSchema, clock, () =>
      facts({
        Now: `${time(clock.now)} UTC`,
        Runs: clock.frozen ? "no: it stands until it is advanced" : "yes",
        "On its way to": time(clock.target),
      }),
    );
  }
}
