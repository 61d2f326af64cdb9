import { readConfig } from "../server/config.ts";
import { createSecrets, type Secrets } from "../server/secrets.ts";
import { BaseCommand } from "./base-command.ts";
import { databaseFailure } from "./database-failure.ts";

/** A command for whoever runs the servers: it works on the database itself. */
export abstract class DatabaseCommand extends BaseCommand {
  /** The keys that the environment gives: those that the servers have. */
  protected environmentSecrets(): Secrets {
    const urls = { DATABASE_URL: "-", USAGEFLOW_WORKER_DATABASE_URL: "-" }; // needed by servers only
    return createSecrets(readConfig({ ...process.env, ...urls }));
  }

  protected override async catch(error: Error): Promise<never> {
    throw databaseFailure(error) ?? error;
  }
}
