import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fromJson } from "@bufbuild/protobuf";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";

/** Real input: the usage of a public web server's access log, beside the checkout. Its README tells the true totals. */
export const ACCESS_LOG = new URL("../../../shared/data/access-log-usage.ndjson", import.meta.url).pathname;

/** Whether it is there. Where it is not, the tests that need it say so. */
export const hasAccessLog = existsSync(ACCESS_LOG);

/** Its 20,000 events, in the order of the file. */
export async function readAccessLog(): Promise<UsageEvent[]> {
  const lines = (await readFile(ACCESS_LOG, "utf8")).trim().split("\n");
  return lines.map((line) => {
    const { amount, ...event } = JSON.parse(line);
    return fromJson(UsageEventSchema, { ...event, amount: String(amount) });
  });
}
