import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageOutcome, type UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import type { TrackUsageResponse, UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { BUSY, retryInfoMs } from "../library/call-error.ts";
import { ruleWords } from "../output/rule-words.ts";
import { fieldPath } from "../output/text.ts";
import { createLineParser, type LineParser } from "./parse-event.ts";
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

const OUTCOMES: Partial<Record<UsageOutcome, keyof Tally>> = {
  [UsageOutcome.ACCEPTED]: "accepted",
  [UsageOutcome.DUPLICATE]: "duplicate",
  [UsageOutcome.CONFLICT]: "conflict",
};

export interface ImportOptions {
  lines: AsyncIterable<Line>;
  /** Record events older than the backfill window. */
  backfill: boolean;
  signal: AbortSignal;
  /** Told of each line that was not stored, in their order. */
  onProblem: (line: number, problem: string) => void;
  /** Told of each line with neither an idempotency key nor a time. */
  onInterchangeable: () => void;
  onProgress: (tally: Tally) => void;
}

/** Sends every line of a file, in batches, a few at a time. Every event has a key, so all of it may be sent again. */
export async function importUsage(usage: Client<typeof UsageService>, options: ImportOptions): Promise<Tally> {
  const { lines, backfill, signal, onProblem, onInterchangeable, onProgress } = options;
  const tally: Tally = { accepted: 0, duplicate: 0, conflict: 0, rejected: 0 };
  const track = createPatientTracker(usage, backfill, signal);
  const inFlight = new Set<Promise<void>>();
  let last = Promise.resolve();
  let failed: { error: unknown } | undefined;

  const settle = ({ lines, problems }: Batch, results: readonly UsageResult[]) => {
    tally.rejected += problems.length;
    for (const [at, result] of results.entries()) {
      const outcome = OUTCOMES[result.outcome] ?? "rejected";
      tally[outcome]++;
      const line = lines[at] as number;
      if (outcome === "rejected") problems.push({ line, problem: told(result) });
      if (outcome === "conflict") problems.push({ line, problem: `conflict: ${told(result)}` });
    }
    for (const { line, problem } of problems.sort((a, b) => a.line - b.line)) onProblem(line, problem);
    onProgress(tally);
  };

  for await (const batch of batches(lines, createLineParser(onInterchangeable))) {
    if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
    if (failed) throw failed.error;
    // An answer waits for those of the batches before it, so that problems are told in the order of their lines.
    const sending = Promise.all([batch.events.length > 0 ? track(batch.events) : undefined, last])
      .then(([answer]) => settle(batch, answer?.results ?? []))
      .catch((error) => {
        failed ??= { error };
      })
      .finally(() => inFlight.delete(sending));
    last = sending;
    inFlight.add(sending);
  }
  await Promise.all(inFlight);
  if (failed) throw failed.error;
  return tally;
}

/** Lines that are settled together. */
interface Batch {
  events: UsageEvent[];
  /** Where each event stands. */
  lines: number[];
  /** The lines that say no event. */
  problems: { line: number; problem: string }[];
}

async function* batches(lines: AsyncIterable<Line>, parse: LineParser): AsyncGenerator<Batch> {
  let batch: Batch = { events: [], lines: [], problems: [] };
  let bytes = 0;
  for await (const line of lines) {
    const parsed = parse(line);
    if (!parsed) continue;
    if ("problem" in parsed) batch.problems.push({ line: line.number, problem: parsed.problem });
    else {
      batch.events.push(parsed);
      batch.lines.push(line.number);
      bytes += line.bytes?.length ?? 0;
    }
    if (batch.events.length + batch.problems.length < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX) continue;
    yield batch;
    batch = { events: [], lines: [], problems: [] };
    bytes = 0;
  }
  if (batch.events.length + batch.problems.length > 0) yield batch;
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
        await sleep(Math.max(wait, askedMs(error)), undefined, { signal });
      }
    }
  };
}

/** How long the server asks to wait. */
function askedMs(error: unknown): number {
  return error instanceof ConnectError ? (retryInfoMs(error) ?? 0) : 0;
}

/** Whether the same call may succeed later: the connection broke, or the server is busy or restarting. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const [detail] = error.findDetails(ErrorDetailSchema);
  if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) return true;
  if (detail) return BUSY.has(detail.reason);
  return error.code === Code.Aborted || error.code === Code.Internal; // the transport's, for a connection that broke
}

function told({ field, message, reason }: UsageResult): string {
  const name = (ErrorReasonSchema.value[reason]?.name ?? "").replace("ERROR_REASON_", "");
  return `${field && `${fieldPath(field)}: `}${ruleWords(message)} (${name})`;
}
