import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Attempt, Delivery } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { printable } from "../output/text.ts";
import type { DeliveryNote } from "./emulator-log.ts";

/** What is told of a webhook that was not taken, besides that. */
export interface Failed {
  /** What may be wrong, and what to do. */
  hint: string;
  /** The start of the answer. */
  responseBody: string;
  /** When it is sent again, as RFC 3339. Empty: no more. */
  nextAttemptAt: string;
}

const BODY_TOLD_MAX = 500;

/** One line of a webhook that was sent. */
export function deliveryLine({ at, eventType, eventId, status, durationMs }: DeliveryNote): string {
  return `${at.slice(11, 19)}  ${eventType.padEnd(23)}  ${eventId}  ${status || "---"}  ${durationMs} ms`;
}

/** What to say below the line of one that was not taken. */
export function failedLines({ error, attempt }: DeliveryNote, { hint, nextAttemptAt }: Failed): string {
  const again = nextAttemptAt ? `again at ${nextAttemptAt.slice(11, 19)}` : "given up";
  return [`attempt ${attempt} failed: ${error}; ${again}`, ...(hint ? [hint] : [])]
    .map((line) => `          ${printable(line)}`)
    .join("\n");
}

/** Looks up why a webhook was not taken, and what becomes of it. */
export async function whyFailed(webhooks: Client<typeof WebhookService>, note: DeliveryNote): Promise<Failed> {
  const { delivery } = await webhooks.getDelivery({ id: note.deliveryId });
  const { endpoint } = await webhooks.getEndpoint({ id: note.endpointId });
  const attempt = (delivery as Delivery).attempts.find(({ number }) => number === note.attempt);
  const next = delivery?.nextAttemptAt && timestampDate(delivery.nextAttemptAt);
  return {
    hint: hintOf(note, attempt, endpoint?.url ?? ""),
    responseBody: (attempt?.responseBody ?? "").slice(0, BODY_TOLD_MAX),
    nextAttemptAt: next?.toISOString() ?? "",
  };
}

function hintOf({ status, error }: DeliveryNote, attempt: Attempt | undefined, url: string): string {
  if (/refused$/.test(error)) return `Is your server running on ${url}?`;
  if (status === 0) return /time/.test(error) ? "Answer first, and do the work afterwards." : "";
  if (status === 400 || status === 401 || status === 403) {
    return "Is the signature verified over the raw body, before anything parses it? The secret: usageflow emulator env";
  }
  if (status === 404 || status === 405) return `Does your server take POST on ${new URL(url).pathname}?`;
  if (status === 410) return "410 says that nothing is wanted there any more: the endpoint is disabled.";
  if (status >= 300 && status < 400) return "Redirects are not followed. Name the URL that answers.";
  const body = printable(attempt?.responseBody ?? "").trim();
  return body && status >= 500 ? `It said: ${body.slice(0, BODY_TOLD_MAX)}` : "";
}
