import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { MemberSchema, MemberState } from "../../gen/usageflow/v1/organization_pb.ts";
import type { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { type ListMembersRequest, ListMembersResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Member as MemberTable } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { forbidden, notFound, stateConflict } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { allows, covers } from "../rpc/permission.ts";
import { roleOf } from "./api-key.ts";
import { holdToken } from "./hold-caller.ts";

/** A row of `member`. */
export type MemberRow = Selectable<MemberTable>;

/** The member as callers see it. */
export function toMember(row: MemberRow) {
  return create(MemberSchema, {
    id: formatId("mem", row.id),
    email: row.email,
    name: row.name,
    role: roleOf(row.role),
    state: row.joined_at ? MemberState.JOINED : MemberState.INVITED,
    invitedAt: timestampFromDate(row.invited_at),
    ...(row.invite_expires_at ? { inviteExpiresAt: timestampFromDate(row.invite_expires_at) } : {}),
    invitedBy: row.invited_by ? formatId("mem", row.invited_by) : "",
    ...(row.joined_at ? { joinedAt: timestampFromDate(row.joined_at) } : {}),
  });
}

/** An address as it is kept: people write theirs in capitals or not. */
export function normalEmail(email: string): string {
  return email.toLowerCase();
}

/** The member with this UUID, or undefined. */
export function findMember(tx: Tx, organizationId: string, id: string): Promise<MemberRow | undefined> {
  return tx
    .selectFrom("member")
    .selectAll()
    .where("organization_id", "=", organizationId)
    .where("id", "=", id)
    .executeTakeFirst();
}

/** The member with an id as people write it, or not-found. */
export async function getMember(tx: Tx, organizationId: string, id: string): Promise<MemberRow> {
  const uuid = parseId("mem", id);
  const row = uuid ? await findMember(tx, organizationId, uuid) : undefined;
  if (!row) throw notFound("member", id);
  return row;
}

/** Members of the caller's organization, in the order in which they were invited. */
export function listMembers(app: App, caller: Caller, request: ListMembersRequest) {
  const { organizationId } = tokenOf(caller);
  const page = openPage(app, { tenantId: organizationId, list: "member" }, request);
  return inTenant(app.db, organizationId, async (tx) => {
    const found = await tx
      .selectFrom("member")
      .selectAll()
      .where("organization_id", "=", organizationId)
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListMembersResponseSchema, { members: rows.map(toMember), nextPageToken });
  });
}

/** Holds the members of an organization still, until the transaction ends: two changes at once could lose the last owner. */
export async function lockMembers(tx: Tx, organizationId: string): Promise<void> {
  await tx.selectFrom("organization").select("id").where("id", "=", organizationId).forNoKeyUpdate().execute();
}

/**
 * Holds the members still, and answers the role that the caller has now: the one that the call came with may be a second old,
 * and have been taken meanwhile, as their token may.
 */
export async function lockAsManager(tx: Tx, caller: Caller): Promise<Role> {
  const { organizationId } = tokenOf(caller);
  await lockMembers(tx, organizationId);
  await holdToken(tx, caller);
  const own = await findMember(tx, organizationId, caller.keyId);
  const role = roleOf(own?.role ?? "");
  if (!allows(role, "member:write")) throw forbidden("you may not change members any more");
  return role;
}

/** Refuses to give or to take a role that may do more than that of who does it: nobody raises themselves. */
export function checkCovers(own: Role, role: Role): void {
  if (!covers(own, role)) throw forbidden("that role may do more than yours");
}

/** Refuses to take the role of the last owner: nobody could give it back. */
export async function checkOwnerStays(tx: Tx, row: MemberRow): Promise<void> {
  if (row.role !== "OWNER" || !row.joined_at) return;
  const other = await tx
    .selectFrom("member")
    .select("id")
    .where("organization_id", "=", row.organization_id)
    .where("role", "=", "OWNER")
    .where("joined_at", "is not", null)
    .where("id", "<>", row.id)
    .executeTakeFirst();
  if (!other) throw stateConflict("this is the last owner: make another one first");
}
