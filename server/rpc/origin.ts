import { type BlockList, isIP } from "node:net";
import { createContextKey } from "@connectrpc/connect";
import { contains } from "../cidr.ts";

/** Where a call came from, as the connection and the proxies on its way say. */
export interface Origin {
  /** Of the other end of the connection. */
  readonly socketAddress: string | undefined;
  /** The header `x-forwarded-for`, which anybody can write. */
  readonly forwardedFor: string | undefined;
}

export const originKey = createContextKey<Origin>(
  { socketAddress: undefined, forwardedFor: undefined },
  { description: "origin" },
);

/** The origin of a request. */
export function originOf(request: {
  socket: { remoteAddress?: string | undefined } | undefined;
  headers: Record<string, string | string[] | undefined>;
}): Origin {
  return {
    socketAddress: request.socket?.remoteAddress,
    forwardedFor: request.headers["x-forwarded-for"]?.toString(),
  };
}

/**
 * The address of the caller: the other end of the connection, unless that is one of `proxies`; then the last one in the
 * header that is none of them. What stands before it, anybody may have written. Undefined when a proxy says what is no
 * address.
 */
export function callerAddress(proxies: BlockList, origin: Origin): string | undefined {
  const hops = (origin.forwardedFor ?? "").split(",").flatMap((hop) => hop.trim() || []);
  let address = plainAddress(origin.socketAddress ?? "");
  while (address && hops.length > 0 && contains(proxies, address)) address = plainAddress(hops.pop() as string);
  return address;
}

/** Whom an address counts as where machines are told apart: each has a whole /64 of IPv6 to itself, as a rule (RFC 6177). */
export function machineOf(address: string): string {
  if (!address.includes(":")) return address;
  const [begin = "", end] = address.split("::");
  const before = begin.split(":").filter(Boolean);
  const after = end?.split(":").filter(Boolean) ?? [];
  const left = Array(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...left, ...after]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

/** Without the port that some proxies add, the zone, and the clothes in which a dual-stack socket shows IPv4. */
export function plainAddress(text: string): string | undefined {
  const [, bracketed, ipv4] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/.exec(text) ?? [];
  const address = (bracketed ?? ipv4 ?? text).replace(/%.*$/, "").replace(/^::ffff:(?=[\d.]+$)/i, "");
  return isIP(address) ? address : undefined;
}
