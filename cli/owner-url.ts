import { Flags } from "@oclif/core";
import { CliError } from "./cli-error.ts";

/** The URL with which the schema is made and changed. The server itself never has it. */
export const ownerUrlFlag = Flags.string({
  description: "URL of the database as the owner of its schema. Needed.",
  env: "USAGEFLOW_OWNER_DATABASE_URL",
  helpValue: "URL",
});

/** The URL that the flag or its variable gives. No error repeats it: it may hold a password. */
export function ownerUrlOf(flags: { "owner-url": string | undefined }): string {
  const url = flags["owner-url"];
  const hint = "Give one with --owner-url or USAGEFLOW_OWNER_DATABASE_URL, such as postgres://user@host/database.";
  if (!url) throw new CliError("usage", "no URL of the database, as the owner of its schema", { hint });
  const { protocol } = URL.parse(url) ?? {};
  if (protocol === "postgres:" || protocol === "postgresql:") return url;
  throw new CliError("usage", "the URL of the database's owner is no postgres URL", { hint });
}
