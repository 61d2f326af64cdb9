import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageOutcome, type UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import type { TrackUsageResponse, UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { fieldPath } from "../output/text.ts";
import { createLineParser } from "./parse-event.ts";
import type { Line } from "./read-lines.ts";

const BATCH_EVENTS_MAX = 1_000; // the contract's limit
const BATCH_BYTES_MAX = 1024 * 1024; // well below the 4 MiB that servers take
const IN_FLIGHT_MAX = 4;
const RETRY_MS_MAX = 2_000;
const GIVE_UP_MS = 30_000;

/** How many events came to what. */
export interface Tally {
  accepted: number;
  duplicate: number;
  conflict: number;
  rejected: number;
}

export interface ImportOptions {
  lines: AsyncIterable<Line>;
  /** Record events older than the backfill window. */
  backfill: boolean;
  signal: AbortSignal;
  /** Told of each line that was not stored. */
  onProblem: (line: number, problem: string) => void;
  onProgress: (tally: Tally) => void;
}

/** Sends every line of a file, in batches, a few at a time. Every event has a key, so all of it may be sent again. */
export async function importUsage(usage: Client<typeof UsageService>, options: ImportOptions): Promise<Tally> {
  const { backfill, signal, onProblem, onProgress } = options;
  const tally: Tally = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 };
  const track = createPatientTracker(usage, backfill, signal);
  const inFlight = new Set<Promise<void>>();
  let failed: { error: unknown } | undefined;

  const refuse = (line: number, problem: string) => {
    tally.rejected++;
    onProblem(line, problem);
  };
  const settle = (batch: Batch, { results }: TrackUsageResponse) => {
    results.forEach((result, at) => {
      const line = batch.lines[at] as number;
      if (result.outcome === UsageOutcome.ACCEPTED) tally.accepted++;
      else if (result.outcome === UsageOutcome.DUPLICATE) tally.duplicate++;
      else if (result.outcome === UsageOutcome.CONFLICT) {
        tally.conflict++;
        onProblem(line, `conflict: ${told(result)}`);
      } else refuse(line, told(result));
    });
    onProgress(tally);
  };

  for await (const batch of batches(options.lines, refuse)) {
    if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
    if (failed) throw failed.error;
    const sending = track(batch.events)
      .then((answer) => settle(batch, answer))
      .catch((error) => {
        failed ??= { error };
      })
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
  }
  await Promise.all(inFlight);
  if (failed) throw failed.error;
  return tally;
}

/** Events to send together, and the lines that they stand on. */
interface Batch {
  events: UsageEvent[];
  lines: number[];
}

async function* batches(lines: AsyncIterable<Line>, refuse: (line: number, problem: string) => void) {
  const parse = createLineParser();
  let batch: Batch = { events: [], lines: [] };
  let bytes = 0;
  for await (const line of lines) {
    const parsed = parse(line);
    if (!parsed) continue;
    if ("problem" in parsed) {
      refuse(line.number, parsed.problem);
      continue;
    }
    batch.events.push(parsed);
    batch.lines.push(line.number);
    bytes += line.bytes?.length ?? 0;
    if (batch.events.length < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX) continue;
    yield batch;
    batch = { events: [], lines: [] };
    bytes = 0;
  }
  if (batch.events.length > 0) yield batch;
}

/**
 * TrackUsage that outlasts a server's restart: a call that fails is made again, with growing waits, for half a minute.
 * While the server has never answered, it is an error at once: its address is likely wrong.
 */
function createPatientTracker(usage: Client<typeof UsageService>, backfill: boolean, signal: AbortSignal) {
  let answered = false;
  return async (events: UsageEvent[]): Promise<TrackUsageResponse> => {
    let failingSince: number | undefined;
    for (let wait = 100; ; wait = Math.min(2 * wait, RETRY_MS_MAX)) {
      try {
        const answer = await usage.trackUsage({ events, backfill }, { signal });
        answered = true;
        return answer;
      } catch (error) {
        failingSince ??= performance.now();
        if (!answered || !isPassing(error) || performance.now() - failingSince > GIVE_UP_MS) throw error;
        await sleep(wait, undefined, { signal });
      }
    }
  };
}

/** Whether the same call may succeed later: the connection broke, or the server is busy or restarting. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const [detail] = error.findDetails(ErrorDetailSchema);
  if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) return true;
  if (detail) return detail.reason === ErrorReason.OVERLOADED;
  return error.code === Code.Aborted || error.code === Code.Internal; // the transport's, for a connection that broke
}

function told({ field, message, reason }: UsageResult): string {
  const name = (ErrorReasonSchema.value[reason]?.name ?? "").replace("ERROR_REASON_", "");
  return `${field && `${fieldPath(field)}: `}${message} (${name})`;
}
