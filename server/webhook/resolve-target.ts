import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { isLoopback, isPublic } from "./public-address.ts";

// An address is checked when it is dialled, so that a name cannot turn to another one in between.

/** A host that webhooks are not sent to. */
export class RefusedAddressError extends Error {
  override name = "RefusedAddressError";
}

/**
 * The addresses behind the host of a URL. Throws RefusedAddressError when one of them, and not only when all of them, may
 * not be dialled; throws the resolver's error when the name has none.
 */
export async function resolveTarget(hostname: string, emulator: boolean): Promise<LookupAddress[]> {
  const found = await lookup(withoutBrackets(hostname), { all: true }); // of a literal: itself
  for (const { address } of found) checkAddress(address, emulator);
  return found;
}

/** Throws RefusedAddressError when the host of a URL is an address, not a name, and may not be dialled. */
export function checkLiteral(hostname: string, emulator: boolean): void {
  const address = withoutBrackets(hostname);
  if (isIP(address)) checkAddress(address, emulator);
}

/** Public addresses may be dialled; in the emulator, loopback ones. */
function checkAddress(address: string, emulator: boolean): void {
  if (emulator) {
    if (isLoopback(address)) return;
    throw new RefusedAddressError(`${address} is refused: the emulator sends to loopback addresses only`);
  }
  if (isPublic(address) && !isOwn(address)) return;
  throw new RefusedAddressError(`${address} is refused: it is not a public address`);
}

/** Whether the resolver says that a name has no address. */
export function isLookupError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo";
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}

/** An IPv6 address as a resolver takes it. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
