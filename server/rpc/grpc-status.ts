import type { ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";

// Connect encodes the message of a status like a part of a URL, which is more than gRPC's specification does. Clients that
// undo no more than that (grpc-js is one) would show a colon as `%3A`.

const MESSAGE = "grpc-message";

/** Writes into a trailer how a call ended. */
export function setStatus(trailer: Headers, error: ConnectError): Headers {
  setTrailerStatus(trailer, error);
  encodeMessage(trailer);
  return trailer;
}

/** The message of a trailer that Connect wrote, encoded as gRPC says: what is not printable ASCII, and `%`. */
export function encodeMessage(trailer: Headers): void {
  const message = trailer.get(MESSAGE);
  if (message) trailer.set(MESSAGE, decodeURIComponent(message).replace(/[^ -~]|%/gu, encodeURIComponent));
}
