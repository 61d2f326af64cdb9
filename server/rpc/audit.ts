import { createHash } from "node:crypto";
import type { DescMessage, DescMethod, JsonObject, JsonValue, Message, MessageShape } from "@bufbuild/protobuf";
import { getOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { subject, unaudited } from "../../gen/usageflow/v1/permission_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatActor, formatId } from "../id.ts";
import { appendAudit, type ChainHead } from "../tenant/audit-chain.ts";
import type { Call, Caller } from "./caller.ts";
import { noteOf } from "./change-note.ts";
import { maskedJson } from "./masked-json.ts";

// What is larger is only told of: the log is for people, and the database has the rest.
const PART_BYTES_MAX = 32 * 1024;

/**
 * Writes what a call changed into the audit log, in the transaction of the change: who asked for what, and how the thing
 * that the method's `subject` names was before and is now. A call that changed nothing leaves nothing.
 */
export async function auditChange<A extends DescMessage>(
  app: App,
  tx: Tx,
  caller: Caller,
  answer: { schema: A; message: MessageShape<A> },
): Promise<void> {
  const call = callOf(caller);
  if (getOption(call.method, unaudited) !== "") return;
  const note = noteOf(tx);
  if (note.unchanged) return;
  const request = requestOf(call);
  const before = note.before && maskedJson(note.before.schema, note.before.message).json;
  const after = thingIn(call.method, answer);
  if (!before && !after) return; // such as a dry run's
  const changed = changedFields(before, after);
  const isSame = before && after && Object.keys({ ...changed.before, ...changed.after }).length === 0;
  // What a secret was and is, is not compared.
  if (isSame && call.method.idempotency === IdempotencyLevel.IDEMPOTENT && !request.hadSecret) return;
  await appendAudit(app, tx, caller.tenantId, {
    ...whoOf(caller),
    subject: idOf(after ?? before) ?? placeId(caller),
    refusal: "",
    leftOutCount: 0,
    detail: JSON.stringify({ request: request.json, ...changed }),
  });
}

/** Writes into the audit log that a call takes data away: what it asked for. It changes nothing else. */
export function auditExport(app: App, caller: Caller, request: Message): Promise<ChainHead> {
  const { tenantId } = caller;
  const { json } = maskedJson(callOf(caller).method.input, request as MessageShape<DescMessage>);
  return inTenant(app.db, tenantId, (tx) =>
    appendAudit(app, tx, tenantId, {
      ...whoOf(caller),
      subject: placeId(caller),
      refusal: "",
      leftOutCount: 0,
      detail: JSON.stringify({ request: json }),
    }),
  );
}

/** The columns of an entry that say who called what, and from where. */
export function whoOf(caller: Caller) {
  const { method, address, requestId } = callOf(caller);
  const { credential, keyId } = caller;
  const isOperator = credential?.kind === "OPERATOR_KEY";
  const actor = isOperator ? "operator" : formatActor(keyId);
  const cameWith = credential?.kind === "ACCESS_TOKEN" ? formatId("tok", credential.id) : actor;
  return { action: method.name, actor, keyId: cameWith, address, requestId };
}

/** The id of the tenant or the organization where a call runs, as people see it. */
function placeId({ tenantId, credential }: Caller): string {
  const isOrganization = credential && (credential.kind === "OPERATOR_KEY" || credential.organizationId === tenantId);
  return formatId(isOrganization ? "org" : "ten", tenantId);
}

function callOf(caller: Caller): Call {
  if (!caller.call) throw new Error("a change without a call: nobody could say who made it");
  return caller.call;
}

function requestOf({ method, request }: Call) {
  if (!request) return { json: undefined, hadSecret: false };
  const { json, hadSecret } = maskedJson(method.input, request as MessageShape<DescMessage>);
  return { json: bounded(json), hadSecret };
}

/** The thing that an answer holds, as JSON. Undefined: the answer holds none. */
function thingIn<A extends DescMessage>(
  method: DescMethod,
  { schema, message }: { schema: A; message: MessageShape<A> },
): JsonObject | undefined {
  const name = getOption(method, subject);
  if (name === "") throw new Error(`${method.name} writes, and its contract names no subject`);
  const field = schema.fields.find((one) => one.name === name);
  if (!field?.message || !reflect(schema, message).isSet(field)) return undefined;
  const thing = (message as Message & Record<string, unknown>)[field.localName];
  if (field.fieldKind !== "list") return maskedJson(field.message, thing as MessageShape<DescMessage>).json;
  const { message: part } = field;
  return { [field.jsonName]: (thing as MessageShape<DescMessage>[]).map((one) => maskedJson(part, one).json) };
}

/** Of both sides the fields in which they differ: all that there are, where there is one side. */
function changedFields(before: JsonObject | undefined, after: JsonObject | undefined) {
  const differs = (name: string) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]);
  const only = (side: JsonObject | undefined) =>
    side && bounded(Object.fromEntries(Object.entries(side).filter(([name]) => differs(name))));
  return { before: only(before), after: only(after) };
}

function bounded(json: JsonObject): JsonObject {
  const text = JSON.stringify(json);
  const bytes = Buffer.byteLength(text);
  if (bytes <= PART_BYTES_MAX) return json;
  return { bytes, sha256: createHash("sha256").update(text).digest("hex") };
}

function idOf(thing: JsonObject | undefined): string | undefined {
  const id: JsonValue | undefined = thing?.id;
  return typeof id === "string" ? id : undefined;
}
