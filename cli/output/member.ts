import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type AccessToken, type Member, MemberState } from "../../gen/usageflow/v1/organization_pb.ts";
import { RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { type Column, facts } from "./table.ts";
import { moment, time, word } from "./text.ts";

/** Members in a list. */
export const memberColumns: Column<Member>[] = [
  { title: "MEMBER", value: (member) => member.id },
  { title: "EMAIL", value: (member) => member.email, cut: true },
  { title: "NAME", value: (member) => member.name, cut: true },
  { title: "ROLE", value: (member) => word(RoleSchema, member.role) },
  { title: "STATE", value: memberState },
  { title: "INVITED", value: (member) => moment(member.invitedAt), spare: true },
  { title: "JOINED", value: (member) => moment(member.joinedAt), spare: true },
];

/** Access tokens in a list. */
export const tokenColumns: Column<AccessToken>[] = [
  { title: "TOKEN", value: (token) => token.id },
  { title: "NAME", value: (token) => token.name, cut: true },
  { title: "LOOKS LIKE", value: (token) => token.prefix, spare: true },
  { title: "STATE", value: tokenState },
  { title: "EXPIRES", value: (token) => time(token.expiresAt) },
  { title: "LAST USED", value: (token) => time(token.lastUsedAt), spare: true },
];

/** One member; of an invite that was just made, with its code. */
export function memberText(member: Member, code = ""): string {
  return facts({
    Id: member.id,
    Email: member.email,
    Name: member.name,
    Role: word(RoleSchema, member.role),
    State: memberState(member),
    Code: code,
  });
}

/** An access token that was just made, with its secret. */
export function madeTokenText(token: AccessToken, secret: string): string {
  return facts({ Id: token.id, Name: token.name, Expires: time(token.expiresAt), Token: secret });
}

function memberState({ state, inviteExpiresAt }: Member): string {
  if (state === MemberState.JOINED) return "joined";
  return inviteExpiresAt && timestampDate(inviteExpiresAt) <= new Date() ? "invite expired" : "invited";
}

function tokenState({ revokedAt, expiresAt }: AccessToken): string {
  if (revokedAt) return "revoked";
  return expiresAt && timestampDate(expiresAt) <= new Date() ? "expired" : "good";
}
