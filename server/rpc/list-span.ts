import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { invalid } from "./errors.ts";

/** From `start`, included, to `end`, not included. Undefined: no limit. */
export interface ListSpan {
  start: Date | undefined;
  end: Date | undefined;
}

/** The span of time that a request asks for. */
export function listSpan({ start, end }: { start?: Timestamp | undefined; end?: Timestamp | undefined }): ListSpan {
  const span = { start: start && nextMillisecond(start), end: end && nextMillisecond(end) };
  if (span.start && span.end && span.end < span.start) throw invalid("end", "must not be before start");
  return span;
}

/** What is listed happened in whole milliseconds, so the first one that is not before a time stands for that time. */
function nextMillisecond(time: Timestamp): Date {
  return new Date(timestampMs(time) + (time.nanos % 1_000_000 === 0 ? 0 : 1));
}
