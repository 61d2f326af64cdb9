import { Flags } from "@oclif/core";
import { type Config, readConfig } from "../../server/config.ts";
import { serve } from "../../server/main.ts";
import { CliError } from "../cli-error.ts";
import { DatabaseCommand } from "../database-command.ts";
import { stopped, stopSignal } from "../stop-signal.ts";

export default class Serve extends DatabaseCommand {
  static override summary = "Run a server in production: the API, the workers, or both.";
  static override description =
    `Any number may run on one database. It is configured by the environment: DATABASE_URL and USAGEFLOW_WORKER_DATABASE_URL (logins with the roles usageflow_app and usageflow_worker), USAGEFLOW_MASTER_KEY, USAGEFLOW_KEY_PEPPER, and USAGEFLOW_* for the rest.

It refuses to start where the database has another schema than it knows, or was used with other keys. It logs JSON lines to stderr. SIGTERM stops it: it says that it is not ready, takes calls a moment longer, and lets those in flight end.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "USAGEFLOW_PORT=8080 <%= config.bin %> <%= command.id %> --role api",
    "<%= config.bin %> <%= command.id %> --role worker",
  ];
  static override flags = {
    role: Flags.option({
      options: ["api", "worker", "all"] as const,
      default: "all" as const,
      description: "What to run here.",
    })(),
  };

  override async run(): Promise<void> {
    const { flags } = await this.parse(Serve);
    const stop = stopSignal();
    const config = readConfig(process.env);
    const server = await serve(config, flags.role).catch((error) => {
      throw error.code === "EADDRINUSE" ? portTaken(config, error) : error;
    });
    this.answer(
      () => ({ type: "ready", url: server.url ?? "", ...(server.healthUrl ? { healthUrl: server.healthUrl } : {}) }),
      () => (server.url ? `Listening on ${server.url}` : "Working"),
    );
    await stopped(stop);
    await server.close();
  }
}

function portTaken({ host, port }: Config, cause: Error): CliError {
  return new CliError(
    "failed",
    `port ${port} of ${host} is taken`,
    { hint: "Take another with USAGEFLOW_PORT." },
    cause,
  );
}
