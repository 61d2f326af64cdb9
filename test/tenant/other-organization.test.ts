import { expect, test } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId, newId } from "../../server/id.ts";
import { setup } from "../support/harness.ts";
import { memberOf } from "../support/members.ts";
import { refused } from "../support/refused.ts";

test("members and access tokens of another organization are not found, and stay as they are", async () => {
  const harness = await setup();
  const { clientsFor, tenant, addOrganization } = harness;
  const other = await addOrganization("Other");
  const [owner, otherOwner] = [clientsFor(tenant.ownerToken).tenant, clientsFor(other.ownerToken).tenant];
  const theirs = await memberOf(harness, other, Role.VIEWER);
  const { member, accessToken } = await clientsFor(theirs.token).tenant.getOrganization({});
  const before = await otherOwner.listMembers({});

  const told = (memberId: string, tokenId: string) =>
    Promise.all([
      refused(owner.changeMemberRole({ id: memberId, role: Role.ADMIN })),
      refused(owner.removeMember({ id: memberId })),
      refused(owner.listAccessTokens({ memberId })),
      refused(owner.revokeAccessToken({ id: tokenId })),
    ]);
  const ofTheirs = await told(theirs.id, accessToken?.id ?? "");
  expect(ofTheirs.map((refusal) => refusal?.code)).toEqual([5, 5, 5, 5]);
  expect(ofTheirs).toEqual(await told(formatId("mem", newId()), formatId("tok", newId())));

  const invited = await owner.inviteMember({ email: member?.email ?? "", role: Role.DEVELOPER });
  expect(invited.member?.id).not.toBe(theirs.id); // the same person, and another member
  const { members } = await owner.listMembers({});
  expect(members.map(({ email }) => email)).toEqual(["owner@localhost", member?.email]);
  expect(await otherOwner.listMembers({})).toEqual(before);
  expect(await clientsFor(theirs.token).tenant.getOrganization({})).toMatchObject({ member: { role: Role.VIEWER } });
});
