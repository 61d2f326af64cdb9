import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Temporal } from "temporal-polyfill";

/** Midnight of the first day of the month that a time lies in. */
export function monthStart(at: Timestamp, timeZone: string): Timestamp {
  const day = Temporal.Instant.fromEpochMilliseconds(timestampMs(at)).toZonedDateTimeISO(timeZone).with({ day: 1 });
  return timestampFromMs(day.startOfDay().epochMilliseconds);
}
