import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { Temporal } from "temporal-polyfill";
import { CliError } from "./cli-error.ts";

/** A time zone that a person named. */
export function parseTimeZone(name: string): string {
  try {
    new Temporal.ZonedDateTime(0n, name);
    return name;
  } catch (cause) {
    throw new CliError("usage", `"${name}" is no time zone: write it like Europe/Berlin`, {}, cause);
  }
}

/** A flag that takes a time zone. */
export const timeZoneFlag = Flags.custom<string>({ helpValue: "ZONE", parse: async (name) => parseTimeZone(name) });

/** Midnight of the first day of the month that a time lies in. */
export function monthStart(at: Timestamp, timeZone: string): Timestamp {
  const day = Temporal.Instant.fromEpochMilliseconds(timestampMs(at)).toZonedDateTimeISO(timeZone).with({ day: 1 });
  return timestampFromMs(day.startOfDay().epochMilliseconds);
}
