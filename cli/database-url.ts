import { Flags } from "@oclif/core";
import { CliError } from "./cli-error.ts";

/** The URL with which the schema is made and changed. The server itself never has it. */
export const ownerUrlFlag = Flags.string({
  description: "URL of the database as the owner of its schema. Needed.",
  env: "USAGEFLOW_OWNER_DATABASE_URL",
  helpValue: "URL",
});

/** The URL with which servers do their work in the background. */
export const workerUrlFlag = Flags.string({
  description: "URL of the database with the login of the workers. Needed.",
  env: "USAGEFLOW_WORKER_DATABASE_URL",
  helpValue: "URL",
});

/** The owner's URL, of the flag or its variable. */
export function ownerUrlOf(flags: { "owner-url": string | undefined }): string {
  const from = "--owner-url or USAGEFLOW_OWNER_DATABASE_URL, such as postgres://user@host/database";
  return postgresUrl(flags["owner-url"], "as the owner of its schema", from);
}

/** The workers' URL, of the flag or its variable. */
export function workerUrlOf(flags: { "worker-url": string | undefined }): string {
  const from = "--worker-url or USAGEFLOW_WORKER_DATABASE_URL: that which the servers have";
  return postgresUrl(flags["worker-url"], "with the login of the workers", from);
}

/** No error repeats it: it may hold a password. */
function postgresUrl(url: string | undefined, whose: string, from: string): string {
  const hint = `Give one with ${from}.`;
  if (!url) throw new CliError("usage", `no URL of the database, ${whose}`, { hint });
  const { protocol } = URL.parse(url) ?? {};
  if (protocol === "postgres:" || protocol === "postgresql:") return url;
  throw new CliError("usage", `the URL of the database, ${whose}, is no postgres URL`, { hint });
}
