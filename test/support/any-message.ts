import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import fc from "fast-check";

/**
 * Any message of the contract without maps, guided by its descriptor. Its texts and numbers are few, so that two messages are
 * often alike in part. Rules of the contract are not looked at.
 */
export function anyMessage<D extends DescMessage>(desc: D): fc.Arbitrary<MessageShape<D>> {
  return anyJson(desc).map((json) => fromJson(desc, json));
}

function anyJson(desc: DescMessage): fc.Arbitrary<JsonValue> {
  const parts = desc.members.map((member) => {
    if (member.kind !== "oneof") return fc.option(anyField(member));
    return fc.oneof(...member.fields.map(anyField));
  });
  return fc.tuple(...parts).map((fields) => Object.assign({}, ...fields.filter((field) => field !== null)));
}

/** A field with its value, as an object that has nothing else. */
function anyField(field: DescField): fc.Arbitrary<JsonValue> {
  const value = anyValue(field);
  const keyed = field.message?.fields.some(({ name }) => name === "key");
  const list = keyed
    ? fc.uniqueArray(value, { maxLength: 3, selector: (item) => (item as { key?: string }).key ?? "" })
    : fc.array(value, { maxLength: 3 });
  return (field.fieldKind === "list" ? list : value).map((given) => ({ [field.jsonName]: given }));
}

function anyValue(field: DescField): fc.Arbitrary<JsonValue> {
  if (field.message) return anyJson(field.message);
  if (field.enum) return fc.constantFrom(...field.enum.values.map(({ name }) => name));
  if (field.scalar === ScalarType.BOOL) return fc.boolean();
  if (field.scalar === ScalarType.INT32) return fc.nat(2);
  return fc.constantFrom("", "a", "b, c", "1");
}
