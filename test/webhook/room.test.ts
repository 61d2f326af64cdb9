import { expect, test } from "vitest";
import type { ClaimedDelivery } from "../../server/webhook/claim-deliveries.ts";
import { createRoom, type Room } from "../../server/webhook/room.ts";

const delivery = (tenant: string, endpoint: string) =>
  ({ tenant_id: tenant, endpoint_id: endpoint }) as ClaimedDelivery;
const turn = (tenantId: string, endpointId: string) => ({ tenantId, endpointId });

function fill(room: Room, tenant: string, endpoint: string): number {
  let taken = 0;
  for (; room.ofTenant(tenant) > 0 && room.ofEndpoint(turn(tenant, endpoint)) > 0; taken++) {
    room.take(delivery(tenant, endpoint));
  }
  return taken;
}

test("an endpoint takes a quarter, a tenant half, and what follows finds room", () => {
  const room = createRoom(256);
  expect(fill(room, "a", "a1")).toBe(64);
  for (let endpoint = 2; endpoint < 500; endpoint++) fill(room, "a", `a${endpoint}`);
  expect(room.free()).toBe(128);
  for (let endpoint = 1; endpoint < 500; endpoint++) fill(room, "b", `b${endpoint}`);
  expect(room.free()).toBe(64);
  expect(room.ofTenant("c")).toBe(32);
});

test("what is given back may be taken again", () => {
  const room = createRoom(8);
  expect(fill(room, "a", "a1")).toBe(2);
  for (let back = 0; back < 2; back++) room.giveBack(delivery("a", "a1"));
  expect(room.free()).toBe(8);
  expect(fill(room, "a", "a1")).toBe(2);
});

test.each([1, 2, 3])("with %i slots everybody can take one in turn", (slots) => {
  const room = createRoom(slots);
  expect(fill(room, "a", "a1")).toBe(1);
});
