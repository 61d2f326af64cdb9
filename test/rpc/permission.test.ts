import { createHash } from "node:crypto";
import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { grants, Place, permission, place, Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId } from "../../server/id.ts";
import { permit } from "../../server/rpc/interceptors.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { type Harness, setup } from "../support/harness.ts";
import { keyOf, roles } from "../support/keys.ts";
import { memberOf, memberRoles } from "../support/members.ts";
import { refused } from "../support/refused.ts";
import { services } from "../support/services.ts";
import { connectProto, grpc, type Wire } from "../support/wire.ts";

const methods = services.flatMap((service) => service.methods);
const roleName = (role: Role) => RoleSchema.value[role]?.localName;
const PERMISSION_DENIED = 9;
const OPERATOR_KEY = createHash("sha256").update("operator").digest();

/** What the contract says, read here a second time. */
function mayCall(role: Role, needed: string): boolean {
  const granted = RoleSchema.values
    .filter((value) => value.number === role)
    .flatMap((value) => getOption(value, grants));
  return granted.includes("*") || granted.includes(needed) || (granted.includes("*:read") && /:read$/.test(needed));
}

test("every method names a permission of the form noun:read or noun:write", () => {
  const named = methods.map((method) => [method.name, getOption(method, permission)]);
  expect(named.filter(([, name]) => !/^[a-z]+:(read|write)$/.test(name as string))).toEqual([]);
  const reads = methods.filter((method) => /^(Get|List(?!en)|Pull|Tail)/.test(method.name));
  expect(reads.filter((method) => !getOption(method, permission).endsWith(":read"))).toEqual([]);
});

/** What a caller comes with, and the role that it has. */
interface Caller {
  name: string;
  headers: Record<string, string>;
  role: Role;
  /** At which of the contract's places it may be, and what it is told elsewhere. */
  at: Partial<Record<Place, true>>;
  elsewhere: "permission_denied" | "not_found" | "invalid_argument";
}

const TENANTS = { [Place.UNSPECIFIED]: true, [Place.EITHER]: true } as const;
const OWN = { [Place.ORGANIZATION]: true } as const;

/** Everybody whom the contract knows, at their own things, at another organization's, and at none. */
async function everybody(harness: Harness): Promise<Caller[]> {
  const { clients, clientsFor, tenant } = harness;
  const foreign = formatId("ten", (await harness.addOrganization("Other")).testId);
  const key = (secret: string, named?: string) => ({
    "x-usageflow-api-key": secret,
    ...(named ? { "x-usageflow-tenant": named } : {}),
  });
  const keys = roles.map(async (role): Promise<Caller[]> => {
    const secret = await keyOf(clients, role);
    return [
      { name: "key", headers: key(secret), role, at: TENANTS, elsewhere: "permission_denied" },
      { name: "key elsewhere", headers: key(secret, foreign), role, at: {}, elsewhere: "not_found" },
    ];
  });
  const tokens = memberRoles.map(async (role): Promise<Caller[]> => {
    const { token } = await memberOf(harness, tenant, role);
    const at = { ...TENANTS, ...OWN };
    const none = { ...OWN, [Place.EITHER]: true } as const;
    return [
      { name: "token", headers: key(token, "test"), role, at, elsewhere: "permission_denied" },
      { name: "token elsewhere", headers: key(token, foreign), role, at: OWN, elsewhere: "not_found" },
      { name: "token nowhere", headers: key(token), role, at: none, elsewhere: "invalid_argument" },
    ];
  });
  const invite = { email: "invited@example.com", role: Role.OWNER };
  const { code } = await clientsFor(tenant.ownerToken).tenant.inviteMember(invite);
  const operator = key(OPERATOR_KEY.toString("base64"));
  return [
    ...(await Promise.all([...keys, ...tokens])).flat(),
    ...([
      { name: "invite", headers: key(code), at: { [Place.INVITE]: true } },
      { name: "operator", headers: operator, at: { [Place.SERVER]: true } },
    ].map((one) => ({ ...one, role: Role.OWNER, elsewhere: "permission_denied" })) as Caller[]),
  ];
}

/** What the contract has the server answer, besides what a method says itself. */
function expected(caller: Caller, method: DescMethod): string {
  const runsAt = getOption(method, place);
  if (caller.at[runsAt]) return mayCall(caller.role, getOption(method, permission)) ? "let in" : "permission_denied";
  return [Place.ORGANIZATION, Place.SERVER, Place.INVITE].some((one) => one === runsAt)
    ? "permission_denied"
    : caller.elsewhere;
}

test("every method lets in exactly whom the contract grants it, and nobody without a key", async () => {
  const harness = await setup({ config: { operatorKey: OPERATOR_KEY } });
  const { api } = harness;
  const callers = await everybody(harness);
  const ask = async (method: DescMethod, { name, headers, role, ...caller }: Caller, wire: Wire) => {
    const path = `/${method.parent.typeName}/${method.name}`;
    const more = method.methodKind === "unary" ? {} : { "grpc-timeout": "50m" }; // or it would go on
    const { code, reason, field } = await wire({ url: api.url, path, headers: { ...headers, ...more }, body: "" });
    const should = expected({ name, headers, role, ...caller }, method);
    const said = `${name} ${roleName(role)} ${method.name}`;
    // What is let in may be told that its empty request breaks a rule: the header is named where it was that.
    const isRefused = code === "permission_denied" || code === "not_found" || field === "x-usageflow-tenant";
    expect([said, isRefused ? code : "let in"]).toEqual([said, should]);
    if (code === "permission_denied") expect(reason).toBe("PERMISSION_DENIED");
    expect([said, code]).not.toEqual([said, expect.stringMatching(/internal|unknown|unauthenticated/)]);
  };
  for (const caller of callers) {
    for (const method of methods) {
      const isUnary = method.methodKind === "unary";
      await ask(method, caller, isUnary && !/ (else|no)where/.test(caller.name) ? connectProto : grpc);
    }
  }
  for (const method of methods) {
    const wire = method.methodKind === "unary" ? connectProto : grpc;
    const { code, reason } = await wire({ url: api.url, path: `/${method.parent.typeName}/${method.name}`, body: "" });
    expect([method.name, code, reason]).toEqual([method.name, "unauthenticated", "KEY_MISSING"]);
  }
});

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
