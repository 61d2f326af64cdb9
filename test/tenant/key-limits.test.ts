import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { doors } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const events = [{ metric: "API_CALL", amount: "1", customerId: "user_123" }];
const HOUR = 3_600;
const seconds = (count: number) => ({ seconds: BigInt(count) });

test("a key works until it expires, and is told so after that, at every door", async () => {
  const { api, clients, clock } = await setup();
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.INGEST, expiresIn: seconds(HOUR) });
  expect(Number(apiKey?.expiresAt?.seconds)).toBe(Math.floor(clock.now().getTime() / 1_000) + HOUR);
  const reasons = async () => {
    const answers = Object.values(doors).map((send) => send(api.url, { "x-usageflow-api-key": secret }, events));
    return new Set((await Promise.all(answers)).map(({ answer }) => answer.reason || answer.code));
  };
  clock.advance(HOUR * 1_000 - 500);
  expect(await reasons()).toEqual(new Set(["ok"]));
  clock.advance(500); // less than a second after it was found good
  expect(await reasons()).toEqual(new Set(["KEY_EXPIRED"]));
});

test("a key with ranges works from there alone, at every door", async () => {
  const { api, clients } = await setup();
  const codes = async (allowedCidrs: string[], header: Record<string, string> = {}) => {
    const { secret } = await clients.tenant.createApiKey({ role: Role.INGEST, allowedCidrs });
    const headers = { "x-usageflow-api-key": secret, ...header };
    const answers = Object.values(doors).map((send) => send(api.url, headers, events));
    return new Set((await Promise.all(answers)).map(({ answer }) => answer.reason || answer.code));
  };
  expect(await codes(["203.0.113.0/24", "127.0.0.0/8"])).toEqual(new Set(["ok"]));
  expect(await codes(["203.0.113.0/24", "2001:db8::/32"])).toEqual(new Set(["KEY_ADDRESS_REFUSED"]));
  const lie = { "x-forwarded-for": "203.0.113.7" };
  expect(await codes(["203.0.113.0/24"], lie)).toEqual(new Set(["KEY_ADDRESS_REFUSED"]));
});

test("the word of a trusted proxy is taken, at every door", async () => {
  const { api, clients } = await setup({ config: { trustedProxies: ["127.0.0.0/8"] } });
  const { secret } = await clients.tenant.createApiKey({ role: Role.INGEST, allowedCidrs: ["203.0.113.0/24"] });
  const reasonFrom = async (forwardedFor: string) => {
    const headers = { "x-usageflow-api-key": secret, "x-forwarded-for": forwardedFor };
    const answers = Object.values(doors).map((send) => send(api.url, headers, events));
    return new Set((await Promise.all(answers)).map(({ answer }) => answer.reason || answer.code));
  };
  expect(await reasonFrom("203.0.113.7")).toEqual(new Set(["ok"]));
  expect(await reasonFrom("203.0.113.7, 198.51.100.1")).toEqual(new Set(["KEY_ADDRESS_REFUSED"]));
});

test("what is no range is refused with its place", async () => {
  const { clients } = await setup();
  for (const wrong of ["10.0.0.0/33", "10.0.0/8", "2001:db8::/129", "1:2/8", "10.0.0.1", "here", ""]) {
    const call = clients.tenant.createApiKey({ role: Role.VIEWER, allowedCidrs: ["10.0.0.0/8", wrong] });
    expect([wrong, await refused(call)]).toMatchObject([wrong, { code: 3, field: "allowed_cidrs[1]" }]);
  }
});

test("a key makes none that lives longer or is good in more places than itself", async () => {
  const { clients, clientsFor } = await setup();
  const limits = { expiresIn: seconds(HOUR), allowedCidrs: ["127.0.0.0/8", "10.0.0.0/8"] };
  const { secret, apiKey } = await clients.tenant.createApiKey({ role: Role.ADMIN, ...limits });
  const limited = clientsFor(secret).tenant;
  const raised = [
    {},
    { expiresIn: limits.expiresIn },
    { allowedCidrs: limits.allowedCidrs },
    { ...limits, expiresIn: seconds(HOUR + 1) },
    { ...limits, allowedCidrs: ["10.0.0.0/7"] },
    { ...limits, allowedCidrs: ["10.0.0.0/8", "192.0.2.1/32"] },
    { ...limits, allowedCidrs: ["::/0"] },
  ];
  for (const one of raised) {
    const answer = await refused(limited.createApiKey({ role: Role.VIEWER, ...one }));
    expect([one, answer]).toMatchObject([one, { code: 7, reason: ErrorReason.PERMISSION_DENIED }]);
  }
  const within = { role: Role.VIEWER, expiresIn: seconds(HOUR - 60), allowedCidrs: ["10.1.0.0/16"] };
  expect((await limited.createApiKey(within)).apiKey).toMatchObject({ allowedCidrs: ["10.1.0.0/16"] });
  const { apiKeys } = await clients.tenant.listApiKeys({});
  const owner = apiKeys.find((key) => key.name === "first key")?.id ?? "";
  expect(await refused(limited.rotateApiKey({ id: owner }))).toMatchObject({ code: 7 }); // of a higher role
  expect(await refused(clients.tenant.rotateApiKey({ id: apiKey?.id ?? "" }))).toBeUndefined();
});
