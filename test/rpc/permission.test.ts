import { getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { grants, permission, Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { permit } from "../../server/rpc/interceptors.ts";
import { catalog } from "../support/catalog.ts";
import { doors } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { keyOf, roles } from "../support/keys.ts";
import { refused } from "../support/refused.ts";
import { services } from "../support/services.ts";
import { connectProto, grpc } from "../support/wire.ts";

const methods = services.flatMap((service) => service.methods);
const roleName = (role: Role) => RoleSchema.value[role]?.localName;
const PERMISSION_DENIED = 9;

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

test("every method lets in exactly the roles that the contract grants it, and nobody without a key", async () => {
  const { api, clients } = await setup();
  for (const role of roles) {
    const headers = { "x-usageflow-api-key": await keyOf(clients, role) };
    for (const method of methods) {
      const path = `/${method.parent.typeName}/${method.name}`;
      const isUnary = method.methodKind === "unary";
      const more = isUnary ? {} : { "grpc-timeout": "50m" }; // or it would go on
      for (const wire of isUnary ? [connectProto, grpc] : [grpc]) {
        const { code, reason } = await wire({ url: api.url, path, headers: { ...headers, ...more }, body: "" });
        const allowed = mayCall(role, getOption(method, permission));
        expect([roleName(role), method.name, code === "permission_denied"]).toEqual([
          roleName(role),
          method.name,
          !allowed,
        ]);
        if (!allowed) expect(reason).toBe("PERMISSION_DENIED");
        expect(code).not.toMatch(/internal|unknown|unauthenticated/);
      }
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
  expect(of(Role.ADMIN)).toEqual([...writes].sort());
  expect(of(Role.VIEWER)).toEqual([]);
  expect(of(Role.INGEST)).toEqual(["usage:write"]);
  expect(of(Role.DEVELOPER)).not.toEqual(expect.arrayContaining(["key:write"]));
  expect(of(Role.DEVELOPER)).not.toEqual(expect.arrayContaining(["tenant:write"]));
  expect(of(Role.BILLING)).toEqual(["correction:write", "customer:write", "invoice:write", "subscription:write"]);
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
    for (const other of roles) expect((await own.tenant.createApiKey({ role: other })).apiKey?.role).toBe(other);
  }
  for (const role of [Role.DEVELOPER, Role.BILLING, Role.VIEWER, Role.INGEST]) {
    const own = clientsFor(await keyOf(clients, role));
    for (const other of roles) {
      expect(await refused(own.tenant.createApiKey({ role: other }))).toMatchObject({ reason: PERMISSION_DENIED });
    }
  }
  expect(await refused(clients.tenant.createApiKey({ role: Role.UNSPECIFIED }))).toMatchObject({ field: "role" });
  expect(await refused(clients.tenant.createApiKey({ role: 99 as Role }))).toMatchObject({ field: "role" });
});
