import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { CliError } from "../cli-error.ts";
import { methodOf } from "./api-method.ts";
import { segmentsOf, withValue } from "./json-path.ts";
import type { Step, Trigger } from "./trigger.ts";

/** The trigger with other values in its requests: `step.path=value` each. Throws when one of them matches nothing. */
export function overridden(trigger: Trigger, overrides: readonly string[]): Trigger {
  return overrides.reduce(withOverride, trigger);
}

function withOverride(trigger: Trigger, override: string): Trigger {
  const [, name, path, text] = /^([a-z-]+)\.([^=]+)=(.*)$/s.exec(override) ?? [];
  if (name === undefined || path === undefined || text === undefined) {
    throw new CliError("usage", `"${override}" sets nothing: write it like customer.customer.id=user_123`);
  }
  const step = trigger.steps.find((one) => one.name === name);
  if (!step) {
    const names = trigger.steps.map((one) => one.name);
    throw new CliError("usage", `"${override}" matches nothing: there is no step "${name}"`, {
      hint: `The steps are: ${names.join(", ")}. --explain shows them.`,
    });
  }
  const segments = segmentsOf(path);
  const value = read(fieldAt(step, segments, override), text, override);
  const request = withValue(withoutRivals(step, segments), segments, value) as JsonObject;
  return { ...trigger, steps: trigger.steps.map((one) => (one === step ? { ...step, request } : one)) };
}

/** The field that a path leads to. */
function fieldAt(step: Step, segments: readonly (string | number)[], override: string): DescField {
  let desc: DescMessage | undefined = methodOf(step.call).input;
  let field: DescField | undefined;
  for (const segment of segments) {
    if (typeof segment === "number" && field?.fieldKind === "list") continue;
    if (field?.fieldKind === "map") return field;
    const found: DescField | undefined = desc?.fields.find((one) => one.jsonName === segment);
    if (!found) {
      const names = desc?.fields.map((one) => one.jsonName).join(", ");
      throw new CliError("usage", `"${override}" matches nothing: there is no field "${segment}" in it`, {
        hint: names ? `There are: ${names}` : "The field before it is a single value.",
      });
    }
    field = found;
    desc = found.message;
  }
  return field as DescField;
}

/** The request without what excludes the field: of a choice, only one may be there. */
function withoutRivals(step: Step, [first]: readonly (string | number)[]): JsonObject {
  const chosen = methodOf(step.call).input.fields.find((field) => field.jsonName === first)?.oneof;
  const rivals = chosen?.fields.map((field) => field.jsonName).filter((name) => name !== first) ?? [];
  return Object.fromEntries(Object.entries(step.request).filter(([name]) => !rivals.includes(name)));
}

/** A text where the field is one, a time or a number of many digits; else what JSON says. */
function read(field: DescField, text: string, override: string): JsonValue {
  const scalar = field.fieldKind === "map" ? field.scalar : field.scalar;
  const isText = scalar !== undefined && scalar !== ScalarType.BOOL && scalar !== ScalarType.INT32;
  if (isText || field.enum) return text;
  try {
    return JSON.parse(text);
  } catch {
    if (field.message) return text; // a time or a span
    throw new CliError("usage", `"${override}": "${text}" is neither a number nor true or false`);
  }
}
