import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { timeFlag } from "../time.ts";

/** Whose audit log. */
export const logFlags = {
  organization: Flags.boolean({
    description: "The organization's own log: members, roles and access tokens. With an access token only.",
  }),
};

/** Whose log the flags ask for. */
export function logOf({ organization }: { organization: boolean }) {
  return organization ? "organization" : "tenant";
}

/** Which entries of the audit log. */
export const auditFlags = {
  action: Flags.string({ description: "Only of this method, such as VoidInvoice (may be repeated).", multiple: true }),
  subject: Flags.string({ description: "Only of what has this id, such as inv_... or a customer's." }),
  actor: Flags.string({ description: "Only of who has this id (key_... or mem_...)." }),
  refused: Flags.boolean({ description: "Only attempts that were refused." }),
  from: timeFlag({ description: "Only what was written then or later." }),
  before: timeFlag({ description: "Only what was written before." }),
};

interface AuditFlagValues {
  action: string[] | undefined;
  subject: string | undefined;
  actor: string | undefined;
  refused: boolean;
  from: Timestamp | undefined;
  before: Timestamp | undefined;
}

/** The filter that the flags ask for. */
export function auditFilter(flags: AuditFlagValues) {
  return {
    actions: flags.action ?? [],
    subject: flags.subject ?? "",
    actor: flags.actor ?? "",
    refused: flags.refused,
    ...(flags.from ? { start: flags.from } : {}),
    ...(flags.before ? { end: flags.before } : {}),
  };
}
