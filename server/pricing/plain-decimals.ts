import { clone, type DescField, type DescMessage, getOption, type MessageShape } from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectList, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { field as fieldOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { decimal, plain } from "../money.ts";

/** The message with each decimal written in the one shortest way, so that equal ones are the same text: for comparing. */
export function withPlainDecimals<D extends DescMessage>(desc: D, message: MessageShape<D>): MessageShape<D> {
  const copy = clone(desc, message);
  makePlain(reflect(desc, copy));
  return copy;
}

function makePlain(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    const value: unknown = message.get(field);
    if (isReflectMessage(value)) makePlain(value);
    else if (field.fieldKind === "list" && field.message) {
      for (const item of value as ReflectList<ReflectMessage>) makePlain(item);
    } else if (isDecimal(field) && DECIMAL.test(value as string)) {
      message.set(field, plain(decimal(value as string)));
    }
  }
}

const DECIMAL = /^\d+(\.\d+)?$/;
const known = new Map<DescField, boolean>();

/** Whether the contract takes decimals here and no other text. Looked up once: reading a rule takes longer than using it. */
function isDecimal(field: DescField): boolean {
  const found = known.get(field) ?? takesDecimals(field);
  known.set(field, found);
  return found;
}

function takesDecimals(field: DescField): boolean {
  const { type } = getOption(field, fieldOption);
  if (type.case !== "string") return false;
  const takes = (text: string) => new RegExp(type.value.pattern, "u").test(text);
  return takes("0.5") && !takes("a");
}
