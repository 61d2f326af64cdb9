import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Slots } from "../../server/rpc/slots.ts";
import { refused } from "../support/refused.ts";

const BUSY = { code: Code.ResourceExhausted, reason: ErrorReason.OVERLOADED, field: "" };

/** Calls that work until they are told to end. */
function calls(limits: { places: number; waitingMax?: number; waitMaxMs?: number }) {
  const slots = new Slots({ waitingMax: 1_000, waitMaxMs: 60_000, ...limits });
  const working: { tenantId: string; end: () => void }[] = [];
  const call = (tenantId: string) =>
    slots.run(tenantId, () => new Promise<void>((resolve) => working.push({ tenantId, end: resolve })));
  /** Lets a call of the tenant end, and what follows from it happen. */
  const end = async (tenantId: string) => {
    working
      .splice(
        working.findIndex((one) => one.tenantId === tenantId),
        1,
      )[0]
      ?.end();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { call, end, working: () => working.map(({ tenantId }) => tenantId).join("") };
}

test("one tenant gets three quarters of the places, and a new one finds a free one at once", () => {
  const { call, working } = calls({ places: 8 });
  for (let count = 0; count < 100; count++) void call("a");
  expect(working()).toBe("aaaaaa");
  void call("b");
  expect(working()).toBe("aaaaaab");
});

test("tenants that wait take turns, and each tenant's calls keep their order", async () => {
  const { call, end, working } = calls({ places: 2 });
  for (const tenant of ["a", "a", "a", "a", "a", "b", "b", "c"]) void call(tenant);
  const order: string[] = [];
  while (working() !== "") {
    order.push(working());
    await end(working()[0] as string);
  }
  expect(order).toEqual(["aa", "aa", "ab", "bc", "ca", "ab", "ba", "a"]);
});

test("who waits too long is refused, and who comes after them is not", async () => {
  const { call, end, working } = calls({ places: 2, waitMaxMs: 1 });
  void call("a");
  void call("a");
  expect(await refused(call("a"))).toEqual(BUSY);
  expect(await refused(call("b"))).toEqual(BUSY);
  await end("a");
  void call("b");
  expect(working()).toBe("ab");
});

test("a tenant may wait with as many calls as there is room left for the others", async () => {
  const { call } = calls({ places: 2, waitingMax: 10 });
  void call("a");
  void call("a");
  for (let count = 0; count < 5; count++) void call("a");
  expect(await refused(call("a"))).toEqual(BUSY);
  void call("b");
  void call("b");
  expect(await refused(call("a"))).toEqual(BUSY);
});

test("a call that fails gives its place back", async () => {
  const slots = new Slots({ places: 2, waitingMax: 10, waitMaxMs: 60_000 });
  for (let count = 0; count < 10; count++) {
    await expect(slots.run("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  }
  expect(await slots.run("a", async () => 1)).toBe(1);
});
