import { Flags } from "@oclif/core";
import { StatusClass } from "../../gen/usageflow/v1/webhook_pb.ts";

const STATUSES = {
  none: StatusClass.NONE,
  "2xx": StatusClass.SUCCESS,
  "3xx": StatusClass.REDIRECT,
  "4xx": StatusClass.CLIENT_ERROR,
  "5xx": StatusClass.SERVER_ERROR,
};

/** A flag that takes a class of answers. */
export const statusFlag = Flags.option({ options: ["none", "2xx", "3xx", "4xx", "5xx"] as const });

/** What such a flag says. */
export function statusClassOf(status: keyof typeof STATUSES | undefined): StatusClass {
  return status ? STATUSES[status] : StatusClass.UNSPECIFIED;
}
