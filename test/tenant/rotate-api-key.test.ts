import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { type Harness, setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const seconds = (count: number) => ({ seconds: BigInt(count) });
const conflict = { code: 9, reason: ErrorReason.STATE_CONFLICT };

function call({ clientsFor }: Harness, secret: string) {
  return refused(clientsFor(secret).tenant.getTenant({}));
}

test("both keys work in the overlap, and then the new one alone", async () => {
  const harness = await setup();
  const { clients, clock } = harness;
  const limits = { role: Role.VIEWER, name: "backend", allowedCidrs: ["127.0.0.0/8"] };
  const old = await clients.tenant.createApiKey(limits);
  const made = await clients.tenant.rotateApiKey({ id: old.apiKey?.id ?? "", overlap: seconds(60) });
  expect(made.apiKey).toMatchObject({ ...limits, replacedBy: "" });
  expect(made.apiKey?.expiresAt).toBeUndefined();
  expect(made.former).toMatchObject({ id: old.apiKey?.id, replacedBy: made.apiKey?.id });
  expect(made.secret).not.toBe(old.secret);
  clock.advance(59_999);
  expect([await call(harness, old.secret), await call(harness, made.secret)]).toEqual([undefined, undefined]);
  clock.advance(1);
  expect(await call(harness, old.secret)).toMatchObject({ code: 16, reason: ErrorReason.KEY_EXPIRED });
  expect(await call(harness, made.secret)).toBeUndefined();
});

test("without words the overlap is a day; with none the key before ends within a second", async () => {
  const harness = await setup();
  const { clients, clock } = harness;
  const one = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const two = await clients.tenant.rotateApiKey({ id: one.apiKey?.id ?? "" });
  const dayLater = clock.now().getTime() + 24 * 3_600_000;
  expect(two.former?.expiresAt && timestampDate(two.former.expiresAt).getTime()).toBe(dayLater);
  expect(await call(harness, two.secret)).toBeUndefined();
  await clients.tenant.rotateApiKey({ id: two.apiKey?.id ?? "", overlap: seconds(0) });
  clock.advance(1_000);
  expect(await call(harness, two.secret)).toMatchObject({ reason: ErrorReason.KEY_EXPIRED });
});

test("a key that expires is given its whole life again, and the overlap prolongs none", async () => {
  const { clients, clock } = await setup();
  const { apiKey } = await clients.tenant.createApiKey({ role: Role.VIEWER, expiresIn: seconds(3_600) });
  clock.advance(3_590_000);
  const made = await clients.tenant.rotateApiKey({ id: apiKey?.id ?? "" });
  expect(made.former?.expiresAt).toEqual(apiKey?.expiresAt);
  const end = made.apiKey?.expiresAt && timestampDate(made.apiKey.expiresAt);
  expect(end?.getTime()).toBe(clock.now().getTime() + 3_600_000);
});

test("a key that expires cannot prolong itself", async () => {
  const { clients, clientsFor, clock } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.ADMIN, expiresIn: seconds(3_600) });
  clock.advance(1_000);
  const answer = await refused(clientsFor(secret).tenant.rotateApiKey({ id: apiKey?.id ?? "" }));
  expect(answer).toMatchObject({ code: 7, reason: ErrorReason.PERMISSION_DENIED });
});

test("a key that was rotated, was revoked or has expired is not rotated, and of what is not there is not found", async () => {
  const { clients, clock } = await setup();
  const make = async (expiresIn?: { seconds: bigint }) =>
    (await clients.tenant.createApiKey({ role: Role.VIEWER, ...(expiresIn ? { expiresIn } : {}) })).apiKey?.id ?? "";
  const rotate = (id: string) => clients.tenant.rotateApiKey({ id });
  const [rotated, revoked, expired] = [await make(), await make(), await make(seconds(1))];
  await rotate(rotated);
  await clients.tenant.revokeApiKey({ id: revoked });
  clock.advance(1_000);
  for (const id of [rotated, revoked, expired]) expect(await refused(rotate(id))).toMatchObject(conflict);
  for (const absent of ["0", "z"]) {
    expect(await refused(rotate(`key_${absent.repeat(22)}`))).toMatchObject({ code: 5, reason: ErrorReason.NOT_FOUND });
  }
});

test("of two that rotate a key at the same time one does, and the other is told", async () => {
  const { clients } = await setup();
  const { apiKey } = await clients.tenant.createApiKey({ role: Role.VIEWER });
  const both = [1, 2].map(() => refused(clients.tenant.rotateApiKey({ id: apiKey?.id ?? "" })));
  const answers = await Promise.all(both);
  expect(answers.filter((answer) => answer === undefined)).toHaveLength(1);
  expect(answers.find((answer) => answer !== undefined)).toMatchObject(conflict);
});
