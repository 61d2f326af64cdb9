import { fromJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { Flags } from "@oclif/core";
import { CliError } from "./cli-error.ts";

/** The time that a person wrote, as RFC 3339; a date alone is its midnight in UTC. */
export function parseTime(text: string): Timestamp {
  try {
    return fromJson(TimestampSchema, /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text.toUpperCase());
  } catch (cause) {
    throw new CliError(
      "usage",
      `"${text}" is no time: write it like 2015-06-02T00:00:00Z, or 2015-06-02 for its midnight in UTC`,
      {},
      cause,
    );
  }
}

const SPAN = /^(?=\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/;

/** The seconds in a span such as `10d` or `1h30m`. */
export function parseSpan(text: string): bigint {
  const match = SPAN.exec(text);
  if (!match) throw new CliError("usage", `"${text}" is no span of time: write it like 10d, 1h30m or 90s`);
  const [days, hours, minutes, seconds] = match.slice(1).map((digits) => BigInt(digits ?? 0)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return ((days * 24n + hours) * 60n + minutes) * 60n + seconds;
}

/** A flag that takes a time. */
export const timeFlag = Flags.custom<Timestamp>({ helpValue: "TIME", parse: async (text) => parseTime(text) });

/** A flag that takes a span of time, in seconds. */
export const spanFlag = Flags.custom<bigint>({ helpValue: "SPAN", parse: async (text) => parseSpan(text) });
