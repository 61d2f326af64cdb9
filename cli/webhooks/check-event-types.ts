import type { Client } from "@connectrpc/connect";
import type { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../cli-error.ts";
import { near } from "../near.ts";

/** Refuses types of events that there are not: whoever waits for one waits in vain. */
export async function checkEventTypes(
  webhooks: Pick<Client<typeof WebhookService>, "listEventTypes">,
  types: readonly string[],
): Promise<void> {
  const { eventTypes } = await webhooks.listEventTypes({});
  const known = eventTypes.map(({ type }) => type);
  const unknown = types.find((type) => !known.includes(type));
  if (unknown === undefined) return;
  const nearest = near(unknown, known);
  const meant = nearest ? `Did you mean: ${nearest}? ` : "";
  throw new CliError("usage", `there is no event "${unknown}"`, { hint: `${meant}There are: ${known.join(", ")}` });
}
