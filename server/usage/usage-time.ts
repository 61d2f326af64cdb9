import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema, timestampDate } from "@bufbuild/protobuf/wkt";
import { invalid } from "../rpc/errors.ts";

// Times of usage count to the microsecond, which is what PostgreSQL keeps; a JavaScript date would cut them to
// milliseconds. Buckets are whole hours.

const HOUR_S = 3_600n;
const MICROSECONDS = 1_000_000n;

/** A time as PostgreSQL reads it, to the microsecond. */
export function toMicroseconds({ seconds, nanos }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19);
  return `${whole}.${String(Math.trunc(nanos / 1_000)).padStart(6, "0")}Z`;
}

/** The time that is so many microseconds after 1970. */
export function fromMicroseconds(microseconds: bigint): Timestamp {
  const nanos = Number(microseconds % MICROSECONDS) * 1_000;
  return create(TimestampSchema, { seconds: microseconds / MICROSECONDS, nanos });
}

/** The hour whose bucket counts what happened so many microseconds after 1970. */
export function bucketHour(microseconds: bigint): Date {
  const seconds = microseconds / MICROSECONDS;
  return new Date(Number(seconds - (seconds % HOUR_S)) * 1_000);
}

/** The millisecond in which that time is. */
export function toDate(microseconds: bigint): Date {
  return new Date(Number(microseconds / 1_000n));
}

/** A time of a request that must be a whole millisecond: finer edges than those no period has. */
export function wholeMillisecond(field: string, time: Timestamp): Date {
  if (time.nanos % 1_000_000 !== 0) throw invalid(field, "must be a whole millisecond");
  return timestampDate(time);
}
