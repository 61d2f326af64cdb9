import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { type LookUp, lookUpIn, type Reach } from "./look-up.ts";
import { isAllowed, isLoopback, isPublic } from "./public-address.ts";

// An address is checked when it is dialled, so that a name cannot turn to another one in between.

/** A host that webhooks are not sent to. */
export class RefusedAddressError extends Error {
  override name = "RefusedAddressError";
}

/**
 * The addresses behind the host of a URL. Throws RefusedAddressError when one of them, and not only when all of them, may
 * not be dialled; throws the resolver's error when the name has none.
 */
export async function resolveTarget(
  hostname: string,
  reach: Reach,
  look: LookUp = lookUpIn(reach),
): Promise<LookupAddress[]> {
  const found = await look(withoutBrackets(hostname));
  if (found.length === 0) throw Object.assign(new Error("no address"), { code: "ENODATA", syscall: "getaddrinfo" });
  for (const { address } of found) checkAddress(address, reach);
  return found;
}

/** Throws RefusedAddressError when the host of a URL is an address, not a name, and may not be dialled. */
export function checkLiteral(hostname: string, reach: Reach): void {
  const address = withoutBrackets(hostname);
  if (isIP(address)) checkAddress(address, reach);
}

/** Public addresses may be dialled, and what the operator allows; in the emulator, loopback ones alone. */
function checkAddress(address: string, { emulator, deliveryAllowedCidrs }: Reach): void {
  if (emulator) {
    if (isLoopback(address)) return;
    throw new RefusedAddressError(`${address} is refused: the emulator sends to loopback addresses only`);
  }
  if (isAllowed(address, deliveryAllowedCidrs)) return;
  if (isPublic(address) && !isOwn(address)) return;
  throw new RefusedAddressError(`${address} is refused: it is not a public address`);
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}

/** An IPv6 address as a resolver takes it. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
