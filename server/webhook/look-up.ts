import { type LookupAddress, promises } from "node:dns";
import { isIP } from "node:net";
import type { Config } from "../config.ts";

/** Which addresses a server sends webhooks to. */
export type Reach = Pick<Config, "emulator" | "deliveryAllowedCidrs">;

/** Answers all addresses of a name. */
export type LookUp = (hostname: string) => Promise<LookupAddress[]>;

// Two, and then twice that: whoever has not answered by then has no webhook.
const PATIENCE = { timeout: 2_000, tries: 2 };

/**
 * How names are looked up. The system's resolver knows more than name servers do (the hosts file, short names of a network),
 * but it looks up two names at a time in all of the process: names whose servers never answer, which anybody can have, would
 * hold up those of everybody. So it is asked only where webhooks go to the operator's own network, and for short names, which
 * are of that network. Names of the internet are asked of the name servers, any number at a time.
 */
export function lookUpIn({ emulator, deliveryAllowedCidrs }: Reach): LookUp {
  if (emulator || deliveryAllowedCidrs.length > 0) return askSystem;
  const ask = askNameServers();
  return (hostname) => (isIP(hostname) || !hostname.includes(".") ? askSystem(hostname) : ask(hostname));
}

const askSystem: LookUp = (hostname) => promises.lookup(hostname, { all: true });

/** Asks name servers: those of the system, unless others are given. */
export function askNameServers(servers?: readonly string[], patience = PATIENCE): LookUp {
  return async (hostname) => {
    const resolver = new promises.Resolver(patience); // anew: it reads what the system's are when it is made
    if (servers) resolver.setServers(servers);
    const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const found = [
      ...addressesIn(four).map((address) => ({ address, family: 4 })),
      ...addressesIn(six).map((address) => ({ address, family: 6 })),
    ];
    if (found.length > 0) return found;
    throw lookupError([four, six]);
  };
}

function addressesIn(answer: PromiseSettledResult<string[]>): string[] {
  return answer.status === "fulfilled" ? answer.value : [];
}

/** What the system's resolver would throw. That a kind of address is missing is less than why the other did not come. */
function lookupError(answers: readonly PromiseSettledResult<string[]>[]): Error {
  const codes = answers.flatMap((one) => (one.status === "rejected" ? String(one.reason.code) : []));
  const code = codes.find((one) => one !== "ENODATA") ?? "ENODATA";
  const known = /^(ENODATA|ENOTFOUND|ESERVFAIL|EREFUSED|ETIMEOUT)$/.test(code);
  return Object.assign(new Error("the name has no address"), {
    ...{ code: known ? code : "EAI_FAIL", syscall: "getaddrinfo" },
  });
}

/** Whether the resolver says that a name has no address. */
export function isLookupError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo";
}
