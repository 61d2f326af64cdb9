import type { ClaimedDelivery, Turn } from "./claim-deliveries.ts";

/**
 * The slots of one process, and who holds them. Nobody may take the last: a tenant holds at most as many as it leaves free,
 * an endpoint at most a third of that. Whatever hangs, the next to come finds a slot.
 */
export interface Room {
  /** How many slots are free. */
  free(): number;
  /** How many more a tenant may take. */
  ofTenant(tenantId: string): number;
  /** How many more an endpoint may take. */
  ofEndpoint(turn: Turn): number;
  take(delivery: ClaimedDelivery): void;
  giveBack(delivery: ClaimedDelivery): void;
}

/** Room for so many. */
export function createRoom(slots: number): Room {
  let free = slots;
  const held = new Map<string, number>(); // by tenant and by endpoint: their ids differ
  const heldBy = (id: string) => held.get(id) ?? 0;
  const hold = (id: string, more: number) => {
    const now = heldBy(id) + more;
    if (now > 0) held.set(id, now);
    else held.delete(id);
  };
  /** Of the free and its own, what is not beyond its share; one where nobody else could use the slot better. */
  const left = (id: string, part: number) => {
    const own = heldBy(id);
    const most = Math.max(1, Math.floor((free + own) / part));
    return Math.min(free, Math.max(0, most - own));
  };
  const move = (delivery: ClaimedDelivery, more: number) => {
    free -= more;
    hold(delivery.tenant_id, more);
    hold(delivery.endpoint_id, more);
  };
  return {
    free: () => free,
    ofTenant: (tenantId) => left(tenantId, 2),
    ofEndpoint: ({ endpointId }) => left(endpointId, 4),
    take: (delivery) => move(delivery, 1),
    giveBack: (delivery) => move(delivery, -1),
  };
}
