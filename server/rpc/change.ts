import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { inStep } from "../lockstep.ts";
import { traceTx } from "../observe/tx-trace.ts";
import { auditChange } from "./audit.ts";
import type { Caller, Idempotency } from "./caller.ts";
import { refusal } from "./errors.ts";

/**
 * Runs one change of a call in one transaction of the caller's tenant, which writes its entry in the audit log too. With an
 * `idempotency-key`, its answer is stored in that transaction, so that who calls again gets the same answer and changes
 * nothing; a refusal is not stored.
 */
export function change<A extends DescMessage>(
  app: App,
  caller: Caller,
  answer: A,
  work: (tx: Tx) => Promise<MessageShape<A>>,
): Promise<MessageShape<A>> {
  return inStep(app, () => changeOnce(app, caller, answer, work));
}

async function changeOnce<A extends DescMessage>(
  app: App,
  caller: Caller,
  answer: A,
  work: (tx: Tx) => Promise<MessageShape<A>>,
): Promise<MessageShape<A>> {
  const { idempotency, tenantId } = caller;
  const traced = (tx: Tx) => {
    traceTx(tx, app.observer, caller.call?.trace);
    return work(tx);
  };
  const audit = (tx: Tx, message: MessageShape<A>) => auditChange(app, tx, caller, { schema: answer, message });
  if (!idempotency) {
    return inTenant(app.db, tenantId, async (tx) => {
      const made = await traced(tx);
      await audit(tx, made);
      return made;
    });
  }
  const again = () => inTenant(app.db, tenantId, async (tx) => storedAnswer(app, tx, tenantId, idempotency, answer));
  try {
    return await inTenant(app.db, tenantId, async (tx) => {
      const stored = await storedAnswer(app, tx, tenantId, idempotency, answer);
      if (stored) return stored;
      const made = await traced(tx);
      const place = answerPlace(tenantId, idempotency.key);
      await tx
        .insertInto("rpc_answer")
        .values({
          tenant_id: tenantId,
          idempotency_key: idempotency.key,
          method: idempotency.method,
          request_hash: idempotency.requestHash,
          answer: app.secrets.seal(toBinary(answer, made), place),
          created_at: app.clock.now(),
        })
        .execute();
      await audit(tx, made);
      return made;
    });
  } catch (error) {
    // If the same call ran at the same time and was first, ours ran into what it made: whatever that looked like, ours is
    // undone, and its answer is there now.
    const stored = await again();
    if (stored) return stored;
    throw error;
  }
}

async function storedAnswer<A extends DescMessage>(
  app: App,
  tx: Tx,
  tenantId: string,
  idempotency: Idempotency,
  answer: A,
): Promise<MessageShape<A> | undefined> {
  const row = await tx
    .selectFrom("rpc_answer")
    .select(["method", "request_hash", "answer"])
    .where("tenant_id", "=", tenantId)
    .where("idempotency_key", "=", idempotency.key)
    .executeTakeFirst();
  if (!row) return undefined;
  if (row.method !== idempotency.method || !row.request_hash.equals(idempotency.requestHash)) {
    throw refusal(
      Code.AlreadyExists,
      ErrorReason.IDEMPOTENCY_CONFLICT,
      "this idempotency key was used for another request, or by another caller; use a new one",
      "idempotency-key",
    );
  }
  return fromBinary(answer, app.secrets.open(row.answer, answerPlace(tenantId, idempotency.key)));
}

/** What a stored answer is bound to when it is sealed. */
export function answerPlace(tenantId: string, idempotencyKey: string): string {
  return `${tenantId}|rpc_answer|${idempotencyKey}`;
}
