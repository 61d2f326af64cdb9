import { AttemptErrorKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { printable } from "../output/text.ts";
import { FORWARD_TIMEOUT_MS, isTaken, type LocalAnswer } from "./forward.ts";

const BODY_SHOWN = 200;

/** Why a local server did not take a delivery, and what to look at. Empty when it took it. */
export function forwardHint(answer: LocalAnswer, url: string): string {
  if (isTaken(answer)) return "";
  if (answer.errorKind !== AttemptErrorKind.UNSPECIFIED) return hintOfKind(answer.errorKind, url);
  const said = printable(answer.body.slice(0, BODY_SHOWN)).trim();
  return said ? `${hintOfStatus(answer.status, url)} It said: "${said}"` : hintOfStatus(answer.status, url);
}

function hintOfStatus(status: number, url: string): string {
  if (status === 400 || status === 401) {
    return `${status} is mostly the signature: does your handler verify the raw body, with the listener's secret?`;
  }
  if (status === 404) return `404: is ${url} the path of your handler?`;
  if (status >= 300 && status < 400) return `${status}: redirects are not followed. Give the URL that it leads to.`;
  return `Your server answered ${status}.`;
}

function hintOfKind(kind: AttemptErrorKind, url: string): string {
  switch (kind) {
    case AttemptErrorKind.CONNECT:
      return `The connection was refused: is your server running on ${url}?`;
    case AttemptErrorKind.DNS:
      return `The name in ${url} does not resolve.`;
    case AttemptErrorKind.TLS:
      return `No TLS with ${url}: a certificate of your own is trusted with NODE_EXTRA_CA_CERTS=FILE.`;
    case AttemptErrorKind.TIMEOUT:
      return `No complete answer within ${FORWARD_TIMEOUT_MS / 1_000} s: answer first, and work then.`;
    case AttemptErrorKind.PROTOCOL:
      return `What listens on ${url} does not speak HTTP${url.startsWith("http:") ? ": is it https?" : "."}`;
    default:
      return "The connection broke before the answer was complete.";
  }
}
