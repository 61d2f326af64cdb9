import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { CliError } from "../cli-error.ts";
import { ClientCommand } from "../client-command.ts";
import { stopSignal } from "../stop-signal.ts";

export default class Dashboard extends ClientCommand {
  static override summary = "Watch and steer a tenant on the whole terminal.";
  static override description =
    "Usage as it comes in, what open periods come to, plans, invoices with their explanation, deliveries live, to inspect and to send again, and a test tenant's clock. Keys stand at the bottom; ? shows all. It needs a terminal.";
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --profile production",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(Dashboard);
    if (this.jsonEnabled() || !process.stdin.isTTY || !process.stdout.isTTY || process.env.TERM === "dumb") {
      const hint =
        "Elsewhere the same is told by: usageflow overview, usage show, plans show, invoices list, deliveries list";
      throw new CliError("usage", "the dashboard needs a terminal", { hint });
    }
    const settings = await this.settings(flags);
    // A wrong key or URL is told as by any command, before the screen is taken.
    const { tenant } = await (await this.client(TenantService, flags)).getTenant({});
    process.env.NODE_ENV ??= "production"; // React looks when it is loaded
    if (process.env.NO_COLOR) {
      process.env.FORCE_COLOR = "0"; // what Ink draws with looks for this alone
      delete process.env.NO_COLOR; // Node warns of both, into the screen
    }
    const [{ runDashboard }, { createClients }] = await Promise.all([
      import("../dashboard/run-dashboard.tsx"),
      import("../dashboard/clients.ts"),
    ]);
    const quitBy = await runDashboard(createClients(settings), tenant, stopSignal());
    if (quitBy !== "q") throw new CliError("interrupted", quitBy === "" ? "by a signal" : "by Ctrl-C");
  }
}
