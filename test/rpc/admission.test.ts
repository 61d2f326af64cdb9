import { Code } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { startApi } from "../../server/api.ts";
import { createAdmission } from "../../server/rpc/admission.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { untilWaiting } from "../support/waiting.ts";

const BUSY = { code: Code.ResourceExhausted, reason: ErrorReason.OVERLOADED, field: "" };

test("a tenant whose calls hang takes no other tenant's place, and is refused what it has too much of", async () => {
  const harness = await setup();
  const other = await harness.addOrganization("Other");
  const limits = { databaseConnectionsMax: 6, callsWaitingMax: 10, waitMaxMs: 30_000 };
  const api = await startApi(await harness.addApp(limits));
  const { createClients } = await import("../support/clients.ts");
  const [noisy, quiet] = [harness.tenant, other].map(({ testKey }) => createClients(api.url, testKey));
  const block = await harness.ownerDb.startTransaction().execute();
  await block.selectFrom("tenant").selectAll().where("tenant_id", "=", harness.tenant.testId).forUpdate().execute();
  // Four places: three are taken, and five of ten wait.
  const hanging = Array.from({ length: 20 }, () =>
    refused(noisy?.tenant.updateTenant({ invoicePrefix: "X-" }) as never),
  );
  await untilWaiting(harness.ownerDb);
  const refusedNow = await Promise.race(hanging);
  expect(refusedNow).toEqual(BUSY);
  for (let count = 0; count < 5; count++) await quiet?.tenant.updateTenant({ invoicePrefix: "X-" });
  await quiet?.pricing.pushCatalog({ catalog });
  const event = { metric: "API_CALL", amount: "1", customerId: "c" };
  expect((await quiet?.usage.trackUsage({ events: [event] }))?.results).toHaveLength(1);
  await block.rollback().execute();
  const outcomes = await Promise.all(hanging);
  expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(8);
  expect(outcomes.filter((outcome) => outcome)).toEqual(Array(12).fill(BUSY));
  await api.close();
});

test("a process that is late refuses calls of the tenant that sends most, over every door", async () => {
  const { app, tenant, addOrganization } = await setup({ config: { eventLoopDelayMaxMs: 100 } });
  const other = await addOrganization("Other");
  let lateMs: number | undefined;
  const windowEnded = () => {
    const late = lateMs;
    lateMs = undefined;
    return late;
  };
  const admission = createAdmission(app, { windowEnded, close() {} });
  const call = (tenantId: string) => {
    const caller = { tenantId, kind: "TEST", keyId: tenantId, role: Role.OWNER } as const;
    try {
      admission.admit(caller, UsageService.method.trackUsage);
      return 1;
    } catch (error) {
      expect(error).toMatchObject({ code: Code.ResourceExhausted });
      return 0;
    }
  };
  const send = (tenantId: string, count: number) =>
    Array.from({ length: count }, () => call(tenantId)).reduce<number>((sum, one) => sum + one, 0);
  expect([send(tenant.testId, 1_000), send(other.testId, 20)]).toEqual([1_000, 20]);
  lateMs = 99;
  expect(send(tenant.testId, 1_000)).toBe(1_000);
  const taken: number[] = [];
  for (let window = 0; window < 4; window++) {
    lateMs = 101;
    taken.push(send(tenant.testId, 1_000));
    expect(send(other.testId, 20)).toBe(20);
  }
  expect(taken).toEqual(taken.toSorted((a, b) => b - a));
  expect(taken[3]).toBeLessThan(400);
});

test("the event loop's delay is told once a window, and is long where something held it up", async () => {
  const { watchLoopDelay } = await import("../../server/rpc/loop-delay.ts");
  const delay = watchLoopDelay(50);
  onTestFinished(() => delay.close());
  expect(delay.windowEnded()).toBe(undefined);
  const told = (busyMs: number) => {
    const look = () => {
      const until = performance.now() + busyMs;
      while (performance.now() < until);
      return delay.windowEnded();
    };
    return expect.poll(look, { interval: 10, timeout: 30_000 });
  };
  await told(0).toBeTypeOf("number");
  await told(100).toBeGreaterThan(20); // held up each time: a window may end before its only delay was counted
});
