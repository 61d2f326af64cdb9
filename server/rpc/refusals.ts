import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "kysely";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { errorFacts } from "../log.ts";
import { appendAudit } from "../tenant/audit-chain.ts";
import { readSecret } from "../tenant/secret-text.ts";
import { whoOf } from "./audit.ts";
import type { Call, Caller } from "./caller.ts";
import { detailOf } from "./errors.ts";
import { reasonName } from "./plain-answer.ts";

const WINDOW_MS = 60_000;
/** How many refusals of a key have an entry in a minute, in one process; those of a tenant's unknown keys together. */
export const REFUSALS_PER_MINUTE = 10;
// Of those who are nobody: their keys have the right form, and so name a tenant.
const KEY_REASONS: ReadonlySet<ErrorReason> = new Set([ErrorReason.KEY_UNKNOWN, ErrorReason.KEY_EXPIRED]);
// More keys than this refused at a time, and the counts begin anew.
const KEYS_MAX = 10_000;
// More refusals than this waiting to be written, of however many places: the next ones are left out too.
const WAITING_MAX = 1_000;

/** A call that was refused, as far as it came. */
export interface RefusedCall extends Call {
  /** The key as it was sent. */
  key: string | undefined;
  /** Undefined: the key is not known. */
  caller: Caller | undefined;
}

/** Writes refused attempts into the audit log of the tenant or the organization that they were about. */
export interface Refusals {
  /**
   * Takes note of why a call was refused, where that was for who called. The entry is written aside, in a transaction of its
   * own: the answer does not wait, so its time tells nothing of which tenants and keys there are.
   */
  note(call: RefusedCall, error: unknown): void;
  /** Waits for what is being written. */
  settled(): Promise<void>;
}

/** Refusals of one process. */
export function createRefusals(app: App): Refusals {
  const windows = new Map<string, { until: number; count: number; leftOut: number }>();
  // One after the other: whoever makes refusals, by keys of places that there are not, has one connection for them.
  let writing = Promise.resolve();
  let waiting = 0;
  /** How many were left out before this one; undefined: this one is left out too. */
  const admit = (who: string): number | undefined => {
    const now = app.clock.now().getTime();
    let window = windows.get(who);
    if (!window || window.until <= now) {
      if (windows.size >= KEYS_MAX) windows.clear();
      window = { until: now + WINDOW_MS, count: 0, leftOut: window?.leftOut ?? 0 };
      windows.set(who, window);
    }
    window.count += 1;
    if (window.count > REFUSALS_PER_MINUTE || waiting >= WAITING_MAX) {
      window.leftOut += 1;
      return undefined;
    }
    const { leftOut } = window;
    window.leftOut = 0;
    return leftOut;
  };
  return {
    note(call, error) {
      const refusal = refusalOf(error);
      const place = call.caller?.tenantId ?? readSecret(call.key ?? "")?.place;
      if (!refusal || !place) return;
      const leftOutCount = admit(call.caller?.keyId ?? place);
      if (leftOutCount === undefined) return;
      waiting += 1;
      writing = writing
        .then(() => write(app, place, { ...call, refusal, leftOutCount }))
        .catch((cause) => app.log.error("audit.refusal_lost", { request_id: call.requestId, ...errorFacts(cause) }))
        .finally(() => {
          waiting -= 1;
        });
    },
    settled: () => writing,
  };
}

/** Why somebody was refused for who they are; undefined: it was for something else. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const { reason } = detailOf(error);
  if (error.code !== Code.PermissionDenied && !KEY_REASONS.has(reason)) return undefined;
  return reasonName(reason);
}

async function write(app: App, place: string, refused: RefusedCall & { refusal: string; leftOutCount: number }) {
  const { method, address, requestId, caller, refusal, leftOutCount } = refused;
  const nobody = { action: method.name, actor: "", keyId: "", address, requestId };
  const who = caller ? whoOf({ ...caller, call: refused }) : nobody;
  await inTenant(app.db, place, async (tx) => {
    // A key of right form may name any place. A tenant that is being deleted has no log any more when its row is gone.
    const tenant = await sql`select from tenant where tenant_id = ${place} for key share`.execute(tx);
    const known = tenant.rows.length > 0 ? tenant : await sql`select from organization where id = ${place}`.execute(tx);
    if (known.rows.length === 0) return;
    await appendAudit(app, tx, place, { ...who, subject: "", refusal, leftOutCount, detail: "{}" });
  });
}
