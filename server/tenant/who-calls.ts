import type { Tx } from "../db/database.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { toAccessToken } from "./access-token.ts";
import { ownToken } from "./hold-caller.ts";
import { getMember, toMember } from "./member.ts";

/** The member who calls, and with which token. In a transaction of the organization. */
export async function whoCalls(tx: Tx, caller: Caller) {
  const accessToken = toAccessToken(await ownToken(tx, caller));
  return { member: toMember(await getMember(tx, tokenOf(caller).organizationId, accessToken.memberId)), accessToken };
}
