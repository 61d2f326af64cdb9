import { CatalogSchema, type Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { CliError } from "../cli-error.ts";
import { type MessageFile, parseMessage, readText } from "./message-file.ts";

/** A plan of a catalog file, and where it stands there. */
export interface PlanSource extends Pick<MessageFile<typeof CatalogSchema>, "placed"> {
  plan: Plan;
  /** Its path in the file, such as `plans[0]`. */
  at: string;
}

/** A plan of a catalog file, or of stdin for `-`, by its key. */
export async function readPlanOfCatalog(name: string, key: string): Promise<PlanSource> {
  const { message, placed } = parseMessage(CatalogSchema, await readText(name), name);
  const plan = found(message.plans, `plan "${key}" in ${name}`, key);
  return { plan, at: `plans[${message.plans.indexOf(plan)}]`, placed };
}

/** The one of this key, or not-found with the keys that there are. */
export function found<T extends { key: string }>(items: readonly T[], what: string, key: string): T {
  const item = items.find((each) => each.key === key);
  if (item) return item;
  const hint = `There are: ${items.map((each) => each.key).join(", ")}`;
  throw new CliError("not_found", `there is no ${what}`, { hint });
}
