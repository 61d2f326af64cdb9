import { type ClientHttp2Session, connect } from "node:http2";
import {
  connectGet,
  connectJson,
  connectProto,
  connectStream,
  grpc,
  grpcGzip,
  grpcUnframed,
  grpcWeb,
  type Wire,
} from "../support/wire.ts";
import type { FuzzCase } from "./any-case.ts";

/** `POST /api/track`. A single event that is rejected is told as a refused call is. */
const track: Wire = async ({ url, path, body, headers }) => {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: body as NonNullable<RequestInit["body"]>,
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const requestId = response.headers.get("x-request-id") ?? "";
  const nothing = { code: "ok", reason: "", field: "", message: "" };
  const told = { status: response.status, body: bytes, requestId, ...nothing };
  if (response.ok) return told;
  const { error, outcome, ...event } = JSON.parse(Buffer.from(bytes).toString());
  return error
    ? { ...told, ...error }
    : { ...told, ...event, code: outcome === "conflict" ? "already_exists" : "invalid_argument" };
};

const ways = { connectJson, connectProto, connectStream, connectGet, grpc, grpcGzip, grpcUnframed, grpcWeb, track };

/** A way to send: a protocol. */
export type Way = keyof typeof ways;

/** Sends cases to one server as one caller, over connections that are kept. */
export interface Sender {
  send(made: FuzzCase): ReturnType<Wire>;
  close(): void;
}

/** A sender; `caller` are the headers that say who calls. */
export function createSender(url: string, caller: Readonly<Record<string, string>>): Sender {
  let session: ClientHttp2Session | undefined;
  const open = () => {
    if (session && !session.closed && !session.destroyed) return session;
    session = connect(url);
    session.setMaxListeners(0); // each call hears of the connection's end
    session.on("error", () => {});
    return session;
  };
  return {
    send: ({ way, path, body, headers }) =>
      ways[way]({ url, path, body, session: open(), headers: { ...caller, ...headers } }),
    close: () => session?.close(),
  };
}
