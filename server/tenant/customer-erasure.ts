import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";

/** Where copies of a customer's personal data may be. */
export type ErasurePlace = "USAGE" | "EVENTS" | "ANSWERS" | "AUDIT";

/** Whose data is erased. */
export interface Erasure {
  tenantId: string;
  customerId: string;
}

/** How copies are taken out of one place. */
export interface ErasurePart {
  readonly place: ErasurePlace;
  /** How long the part before must be over. */
  waitMs?(app: App): number;
  /** Takes a step, in the caller's transaction, and answers where the next one begins. Undefined: there is none. */
  step(app: App, tx: Tx, erasure: Erasure, after: string): Promise<string | undefined>;
}

const FIRST: ErasurePlace = "USAGE";

/** Asks for the copies to be looked for. */
export async function askErasure(tx: Tx, { tenantId, customerId }: Erasure, now: Date): Promise<void> {
  await tx
    .insertInto("customer_erasure")
    .values({ tenant_id: tenantId, customer_id: customerId, part: FIRST, after: "", due_at: now })
    .execute();
}
