import { systemClock } from "../../server/clock.ts";
import { readStatus } from "../../server/status.ts";
import { DatabaseCommand } from "../database-command.ts";
import { workerUrlFlag, workerUrlOf } from "../database-url.ts";
import { statusJson, statusText } from "../output/status.ts";

export default class Status extends DatabaseCommand {
  static override summary =
    "Show how the whole installation does: processes, versions, what waits and since when, last errors.";
  static override description =
    `For whoever runs the servers: it asks the database, with the login of the workers, and shows numbers over all tenants. It answers whether a server runs or not.

Each server process writes every 10 seconds that it is there, and how its loops do; /readyz of a process says the same of it alone. The exit code is 1 when something is wrong.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> --worker-url postgres://usageflow_worker@localhost/usageflow",
    "USAGEFLOW_WORKER_DATABASE_URL=postgres://usageflow_worker@localhost/usageflow <%= config.bin %> <%= command.id %> --json",
  ];
  static override flags = { "worker-url": workerUrlFlag };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const status = await readStatus(workerUrlOf(flags), systemClock);
    this.answer(
      () => statusJson(status),
      () => statusText(status),
    );
    if (status.problems.length > 0) process.exitCode = 1;
  }
}
