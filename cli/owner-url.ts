import { Flags } from "@oclif/core";

/** The URL with which the schema is made and changed. The server itself never has it. */
export const ownerUrlFlag = Flags.string({
  description: "URL of the database as the owner of its schema.",
  env: "USAGEFLOW_OWNER_DATABASE_URL",
  helpValue: "URL",
  required: true,
});
