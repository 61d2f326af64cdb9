import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

// Times and spans come as seconds and nanoseconds, and bytes can hold what is neither: two billion nanoseconds, or a span that
// goes both ways. No rule of buf.validate looks at that, and such a value cannot be written as JSON, in the audit log or
// anywhere. (JSON that comes in was read as a time, so it is one.)

const TIME = "google.protobuf.Timestamp";
const SPAN = "google.protobuf.Duration";
const NANOS_MAX = 999_999_999;
const FIRST_S = -62_135_596_800n; // 0001-01-01
const LAST_S = 253_402_300_799n; // 9999-12-31T23:59:59
const SPAN_MAX_S = 315_576_000_000n; // 10,000 years

/** Events are answered one by one, and are looked at one by one (usage/check-event.ts). */
const LOOKED_AT_LATER = "usageflow.v1.UsageEvent";

/** The path of a time or a span in a message that is none; undefined: there is no such. */
export function badTimeIn<D extends DescMessage>(schema: D, message: MessageShape<D>): string | undefined {
  return fieldsWithTimes(schema).length === 0 ? undefined : badIn(reflect(schema, message), "");
}

function badIn(message: ReflectMessage, path: string): string | undefined {
  for (const field of fieldsWithTimes(message.desc)) {
    if (!message.isSet(field)) continue;
    const here = `${path}${field.name}`;
    if (field.fieldKind === "message") {
      const bad = badValue(message.get(field), here);
      if (bad) return bad;
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const [at, item] of [...message.get(field)].entries()) {
        const bad = badValue(item as ReflectMessage, `${here}[${at}]`);
        if (bad) return bad;
      }
    }
  }
  return undefined;
}

function badValue(value: ReflectMessage, path: string): string | undefined {
  const { typeName } = value.desc;
  if (typeName !== TIME && typeName !== SPAN) return badIn(value, `${path}.`);
  const { seconds, nanos } = value.message as unknown as { seconds: bigint; nanos: number };
  const isGood =
    typeName === TIME
      ? seconds >= FIRST_S && seconds <= LAST_S && nanos >= 0 && nanos <= NANOS_MAX
      : seconds <= SPAN_MAX_S &&
        seconds >= -SPAN_MAX_S &&
        Math.abs(nanos) <= NANOS_MAX &&
        (seconds === 0n || nanos === 0 || seconds > 0n === nanos > 0);
  return isGood ? undefined : path;
}

const known = new Map<DescMessage, readonly DescField[]>();

/** The fields of a message that are times or spans, or in which there are some. */
function fieldsWithTimes(desc: DescMessage): readonly DescField[] {
  const before = known.get(desc);
  if (before) return before;
  known.set(desc, []); // a message in itself adds none
  const found = desc.fields.filter(({ message }) => {
    if (!message || message.typeName === LOOKED_AT_LATER) return false;
    return message.typeName === TIME || message.typeName === SPAN || fieldsWithTimes(message).length > 0;
  });
  known.set(desc, found);
  return found;
}
