import type { ClaimedDelivery, Turn } from "./claim-deliveries.ts";

/**
 * Deliveries that were claimed and are not sent yet: a line for each endpoint, in the order of the claim. The first of each
 * line have their turn one after the other.
 */
export class WaitingLines {
  readonly #lines = new Map<string, ClaimedDelivery[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many wait for an endpoint. */
  count(endpointId: string): number {
    return this.#lines.get(endpointId)?.length ?? 0;
  }

  /** Those for which any wait. */
  endpoints(): Turn[] {
    return Array.from(this.#lines, ([endpointId, [first]]) => ({ tenantId: first?.tenant_id ?? "", endpointId }));
  }

  add(delivery: ClaimedDelivery): void {
    const line = this.#lines.get(delivery.endpoint_id);
    if (line) line.push(delivery);
    else this.#lines.set(delivery.endpoint_id, [delivery]);
    this.#size++;
  }

  /** Takes out the first of the next line of which one may be sent. Its line has the next turn after all others. */
  next(maySend: (delivery: ClaimedDelivery) => boolean): ClaimedDelivery | undefined {
    for (const [endpointId, line] of this.#lines) {
      const [first] = line as [ClaimedDelivery];
      if (!maySend(first)) continue;
      this.#lines.delete(endpointId);
      line.shift();
      if (line.length > 0) this.#lines.set(endpointId, line);
      this.#size--;
      return first;
    }
    return undefined;
  }

  /** Takes out all for which `goes` is true. */
  take(goes: (delivery: ClaimedDelivery) => boolean): ClaimedDelivery[] {
    const taken: ClaimedDelivery[] = [];
    for (const [endpointId, line] of this.#lines) {
      const rest = line.filter((one) => {
        const gone = goes(one);
        if (gone) taken.push(one);
        return !gone;
      });
      if (rest.length > 0) this.#lines.set(endpointId, rest);
      else this.#lines.delete(endpointId);
    }
    this.#size -= taken.length;
    return taken;
  }
}
