import { connect } from "node:http2";
import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { Place, permission, place, Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId } from "../../server/id.ts";
import { permit } from "../../server/rpc/interceptors.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { everybody, expected, mayCall, type SomeCaller } from "../support/everybody.ts";
import { examples } from "../support/examples.ts";
import { type Harness, type Organization, setup } from "../support/harness.ts";
import { keyOf, roles } from "../support/keys.ts";
import { liveMonth, liveTogether } from "../support/lived-month.ts";
import { memberOf } from "../support/members.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { SERVER_KEYS } from "../support/secret-scan.ts";
import { services } from "../support/services.ts";
import { ask, isAbout, nobodys, type Subject, strangerFault } from "../support/strangers.ts";
import type { WireAnswer } from "../support/wire.ts";

const methods = services.flatMap((service) => service.methods);
const PERMISSION_DENIED = 9;

test("every method names a permission of the form noun:read or noun:write", () => {
  const named = methods.map((method) => [method.name, getOption(method, permission)]);
  expect(named.filter(([, name]) => !/^[a-z]+:(read|write)$/.test(name as string))).toEqual([]);
  const reads = methods.filter((method) => /^(Get|List(?!en)|Pull|Tail)/.test(method.name));
  expect(reads.filter((method) => !getOption(method, permission).endsWith(":read"))).toEqual([]);
});

test("every method has an example, which the matrix asks with", () => {
  expect(methods.filter(({ name }) => !examples[name]).map(({ name }) => name)).toEqual([]);
});

/** Methods that look at more than the role: whose the member, the key or the token is. Their own tests say how. */
const LOOKS_AT_MORE = /^(ChangeMemberRole|RemoveMember|ListAccessTokens|RevokeAccessToken|RotateApiKey)$/;

/** Two organizations that lived, everybody in the first, and somebody at its other tenant. */
async function start() {
  const { url } = await startReceiver();
  const harness = await setup({
    config: { emulator: false, deliveryAllowedCidrs: ["127.0.0.0/8", "::1/128"], operatorKey: SERVER_KEYS.operator },
  });
  const { clientsFor, tenant, drain } = harness;
  const other = await harness.addOrganization("Other");
  const live = async (keys: Organization, name: string): Promise<Subject> => ({
    ...(await liveMonth(clientsFor(keys.testKey), { name, url, drain })),
    ...(await liveTogether(clientsFor, keys, name)).together,
  });
  const ours = await live(tenant, "ours");
  const theirs = await live(other, "theirs");
  const session = connect(harness.api.url);
  session.setMaxListeners(0); // each call hears of its end
  onTestFinished(() => session.close());
  return { ...harness, session, ours, theirs, callers: await everybody(harness, other) };
}

test("every method x everybody x own, another's, nobody's things: let in, refused, or not found, as the contract says", async () => {
  const { session, clientsFor, tenant, ours, theirs, callers } = await start();
  const nobody = nobodys(theirs);
  const wrong: string[] = [];
  let asked = 0;
  /** One cell; who is let in may be told that there is no such thing, or what else the method has to say. */
  const cell = async (caller: SomeCaller, method: DescMethod, of: Subject): Promise<WireAnswer> => {
    const answer = await ask(session, method, { headers: caller.headers, of });
    const { code, reason, field } = answer;
    const should = expected(caller, method);
    const isRefused = code === "permission_denied" || code === "not_found" || field === "x-usageflow-tenant";
    const isOwnRule = should === "let in" && LOOKS_AT_MORE.test(method.name);
    const isRight = should === "let in" ? isOwnRule || code !== "permission_denied" : isRefused && code === should;
    asked++;
    if (!isRight || /internal|unknown|unauthenticated/.test(code))
      wrong.push(`${caller.name} ${method.name} ${of.name}: ${code}, not ${should}`);
    if (code === "permission_denied" && reason !== "PERMISSION_DENIED")
      wrong.push(`${caller.name} ${method.name}: ${reason}`);
    return answer;
  };
  const strange = async (caller: SomeCaller, method: DescMethod) => {
    const [about, none] = [await cell(caller, method, theirs), await cell(caller, method, nobody)];
    if (expected(caller, method) !== "let in" || LOOKS_AT_MORE.test(method.name)) return;
    const fault = strangerFault(method, { theirs: about, none, about: theirs, nobody });
    if (fault) wrong.push(`${caller.name} ${method.name} of another: ${fault}`);
  };
  // Nothing of this changes anything that another cell meets. Who is at another's tenant, or at none, asks below.
  const atHome = callers.filter(({ name }) => !name.includes(","));
  // What names nothing comes first: what takes any names would have it tell another's, as its own.
  const [naming = [], nameless = []] = [true, false].map((is) => methods.filter((one) => isAbout(one, theirs) === is));
  for (const method of [...nameless, ...naming]) await Promise.all(atHome.map((caller) => strange(caller, method)));
  // What is the other tenant's of one's own organization is another's too.
  const live = { "x-usageflow-api-key": tenant.liveKey };
  for (const method of methods.filter((one) => getOption(one, place) === Place.UNSPECIFIED && isAbout(one, ours))) {
    const about = await ask(session, method, { headers: live, of: ours });
    const fault = strangerFault(method, {
      theirs: about,
      none: await ask(session, method, { headers: live, of: nobody }),
      about: ours,
      nobody,
    });
    if (fault) wrong.push(`live key ${method.name} of the test tenant: ${fault}`);
  }
  for (const method of methods) {
    const refusedOnes = callers.filter((caller) => expected(caller, method) !== "let in");
    await Promise.all(refusedOnes.map((caller) => cell(caller, method, ours)));
    const own = async (caller: SomeCaller) => {
      const spare = await spareOf(method, clientsFor, tenant);
      const { code } = await cell(caller, method, { ...ours, ...spare });
      const isLost = code === "not_found" && !LOOKS_AT_MORE.test(method.name);
      if (isLost) wrong.push(`${caller.name} ${method.name}: its own is not found`);
    };
    const letIn = callers.filter((caller) => !refusedOnes.includes(caller));
    if (getOption(method, permission).endsWith(":read")) await Promise.all(letIn.map(own));
    else for (const caller of letIn) await own(caller); // each meets what the one before it left
    const { code, reason } = await ask(session, method, { headers: {}, of: ours });
    if (code !== "unauthenticated" || reason !== "KEY_MISSING") wrong.push(`nobody ${method.name}: ${code} ${reason}`);
  }
  expect(wrong).toEqual([]);
  expect(asked).toBe(methods.length * (callers.length + atHome.length * 2));
}, 180_000);

/** Something of one's own that a method may take away for ever. */
async function spareOf(
  { name }: DescMethod,
  clientsFor: Harness["clientsFor"],
  { testKey }: Organization,
): Promise<Partial<Subject>> {
  if (name !== "DeleteEndpoint") return {};
  const { endpoint } = await clientsFor(testKey).webhook.createEndpoint({ url: "http://127.0.0.1:1/" });
  return { endpointId: endpoint?.id ?? "" };
}

test("roles are what their descriptions promise", () => {
  const writes = new Set(methods.map((method) => getOption(method, permission)).filter((name) => /:write$/.test(name)));
  const of = (role: Role) => [...writes].filter((name) => mayCall(role, name)).sort();
  expect(of(Role.OWNER)).toEqual([...writes].sort());
  expect(of(Role.ADMIN)).toEqual([...writes].filter((name) => name !== "organization:write").sort());
  expect(of(Role.VIEWER)).toEqual(["token:write"]);
  expect(of(Role.INGEST)).toEqual(["usage:write"]);
  expect(of(Role.DEVELOPER)).not.toEqual(expect.arrayContaining(["key:write"]));
  expect(of(Role.DEVELOPER)).not.toEqual(expect.arrayContaining(["tenant:write"]));
  const billing = ["correction:write", "customer:write", "invoice:write", "subscription:write", "token:write"];
  expect(of(Role.BILLING)).toEqual(billing);
  expect(of(Role.DEVELOPER)).not.toEqual(expect.arrayContaining(["member:write"]));
});

test("a method without a permission is refused even to an owner", () => {
  const caller = { tenantId: "", kind: "TEST", keyId: "", role: Role.OWNER } as const;
  expect(() => permit(caller, Health.method.check)).toThrow(/lacks the permission/);
  for (const method of methods) expect(() => permit({ ...caller, role: Role.UNSPECIFIED }, method)).toThrow();
});

test("usage goes in with an ingest key through every door, and with a viewer's through none", async () => {
  const { api, clients, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const ingest = { "x-usageflow-api-key": await keyOf(clients, Role.INGEST) };
  const viewer = { "x-usageflow-api-key": await keyOf(clients, Role.VIEWER) };
  for (const [door, send] of Object.entries(doors)) {
    const events = [{ metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: door }];
    const { answer } = await send(api.url, viewer, events);
    const status = /lane|grpc/.test(door) ? 200 : 403;
    expect([door, answer]).toMatchObject([
      door,
      { status, code: "permission_denied", reason: "PERMISSION_DENIED", requestId: expect.stringMatching(/^.{36}$/) },
    ]);
    expect([door, (await send(api.url, ingest, events)).results]).toMatchObject([door, [{ outcome: 1 }]]);
  }
  const rows = await ownerDb.selectFrom("usage_event").select("idempotency_key").execute();
  expect(rows.map((row) => row.idempotency_key).sort()).toEqual(Object.keys(doors).sort());
});

test("usage goes in with a developer's access token through every door, at the tenant that it names", async () => {
  const harness = await setup();
  const { api, clients, tenant, ownerDb } = harness;
  await clients.pricing.pushCatalog({ catalog });
  const { token } = await memberOf(harness, tenant, Role.DEVELOPER);
  const foreign = formatId("ten", (await harness.addOrganization("Other")).testId);
  for (const [door, send] of Object.entries(doors)) {
    const events = [{ metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: door }];
    const reasonAt = async (named: Record<string, string>) => {
      const { answer, results } = await send(api.url, { authorization: `Bearer ${token}`, ...named }, events);
      return answer.reason || results.map(({ outcome }) => outcome).join();
    };
    expect([door, await reasonAt({ "x-usageflow-tenant": "test" })]).toEqual([door, "1"]);
    expect([door, await reasonAt({ "x-usageflow-tenant": foreign })]).toEqual([door, "NOT_FOUND"]);
    expect([door, await reasonAt({})]).toEqual([door, "INVALID_FIELD"]);
  }
  const rows = await ownerDb.selectFrom("usage_event").select("tenant_id").execute();
  expect(rows.map((row) => row.tenant_id)).toEqual(Object.keys(doors).map(() => tenant.testId));
});

test("nobody makes a key that may do more than their own", async () => {
  const { clients, clientsFor } = await setup();
  for (const role of [Role.OWNER, Role.ADMIN]) {
    const own = clientsFor(await keyOf(clients, role));
    for (const other of roles.filter((one) => role === Role.OWNER || one !== Role.OWNER)) {
      expect((await own.tenant.createApiKey({ role: other })).apiKey?.role).toBe(other);
    }
  }
  const admin = clientsFor(await keyOf(clients, Role.ADMIN));
  expect(await refused(admin.tenant.createApiKey({ role: Role.OWNER }))).toMatchObject({ reason: PERMISSION_DENIED });
  for (const role of [Role.DEVELOPER, Role.BILLING, Role.VIEWER, Role.INGEST]) {
    const own = clientsFor(await keyOf(clients, role));
    for (const other of roles) {
      expect(await refused(own.tenant.createApiKey({ role: other }))).toMatchObject({ reason: PERMISSION_DENIED });
    }
  }
  expect(await refused(clients.tenant.createApiKey({ role: Role.UNSPECIFIED }))).toMatchObject({ field: "role" });
  expect(await refused(clients.tenant.createApiKey({ role: 99 as Role }))).toMatchObject({ field: "role" });
});
