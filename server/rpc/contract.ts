import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { invalid } from "./errors.ts";
import { badTimeIn } from "./time-value.ts";

// The limits that the contract writes with `buf.validate`. One validator: it compiles a message's rules once.
const validator = createValidator({ regexMatch: matches });

const compiled = new Map<string, RegExp>();

/**
 * Whether a text is as a pattern of the contract has it. Protovalidate's own engine, which takes foreign patterns too, takes
 * many times as long; ours mean the same to both, and take a time that grows with the text (test/rpc/contract.test.ts).
 */
export function matches(pattern: string, text: string): boolean {
  const expression = compiled.get(pattern) ?? new RegExp(pattern, "u");
  compiled.set(pattern, expression);
  return expression.test(text);
}

/** A rule of the contract that a message breaks. */
export interface Breach {
  /** Path of the field. */
  field: string;
  message: string;
  reason: ErrorReason;
}

/** The first rule that a message breaks, if it breaks one. Only the first: the others often follow from it. */
export function findBreach<D extends DescMessage>(schema: D, message: MessageShape<D>): Breach | undefined {
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  if (result.kind === "valid") return breachOfTime(schema, message);
  const [first] = result.violations;
  return {
    field: first ? fieldPath(first) || namedBy(first.ruleId, schema) : "",
    message: first?.message ?? "is not valid",
    reason: first?.ruleId === "repeated.max_items" ? ErrorReason.TOO_LARGE : ErrorReason.INVALID_FIELD,
  };
}

function breachOfTime<D extends DescMessage>(schema: D, message: MessageShape<D>): Breach | undefined {
  const field = badTimeIn(schema, message);
  return field === undefined
    ? undefined
    : { field, message: "is no time: its nanoseconds or seconds are out of range", reason: ErrorReason.INVALID_FIELD };
}

/** The field that a rule over a whole request is about: its id ends in it, as `change_subscription.plan_version` does. */
function namedBy(ruleId: string, schema: DescMessage): string {
  return schema.fields.find(({ name }) => ruleId.endsWith(`.${name}`))?.name ?? "";
}

/** Refuses a message that breaks a rule of the contract. */
export function checkContract<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
  const breach = findBreach(schema, message);
  if (!breach) return;
  throw invalid(breach.field, `${breach.field || "the request"}: ${breach.message}`, breach.reason);
}

/** A violation's path as the contract writes it: `catalog.plans[0].key`. */
export function fieldPath({ field }: Violation): string {
  let path = "";
  for (const part of field) {
    if (part.kind === "list_sub") path += `[${part.index}]`;
    else if (part.kind === "map_sub") path += `[${JSON.stringify(part.key)}]`;
    else if (part.kind === "field") path += `${path && "."}${part.name}`;
    else if (part.kind === "oneof") path += `${path && "."}${part.name}`;
  }
  return path;
}
