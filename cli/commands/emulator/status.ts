import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { type Clock, ClockSchema } from "../../../gen/usageflow/v1/tenant_pb.ts";
import { TenantService } from "../../../gen/usageflow/v1/tenant_service_pb.ts";
import { BaseCommand } from "../../base-command.ts";
import { connect } from "../../client.ts";
import { findEmulator } from "../../emulator/control.ts";
import { nameFlag } from "../../emulator/name-flag.ts";
import { bare } from "../../output/json.ts";
import { facts } from "../../output/table.ts";
import { time } from "../../output/text.ts";

export default class EmulatorStatus extends BaseCommand {
  static override summary = "Show where an emulator runs, and how its clock stands.";
  static override description = "Its key and its webhook secret are shown by: emulator env.";
  static override examples = ["<%= config.bin %> <%= command.id %>", "<%= config.bin %> <%= command.id %> --json"];
  static override flags = { name: nameFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(EmulatorStatus);
    const found = await findEmulator(flags.name, (words) => this.say(words));
    const { name, folder, url, pid, startedAt, forwardTo, data } = found;
    const { tenant } = await createClient(TenantService, connect(found)).getTenant({});
    const clock: Clock = tenant?.clock ?? create(ClockSchema);
    this.answer(
      () => ({ name, folder, url, pid, startedAt, forwardTo, data, clock: bare(ClockSchema, clock) }),
      () =>
        facts({
          URL: url,
          Name: name === folder ? "" : name,
          Folder: folder,
          Clock: `${clock.frozen ? "stands at" : "runs, now"} ${time(clock.now)} UTC`,
          "Webhooks go to": forwardTo,
          Data: data || "thrown away at the end",
          Process: String(pid),
          "Ready since": `${startedAt.slice(0, 19).replace("T", " ")} UTC`,
        }),
    );
  }
}
