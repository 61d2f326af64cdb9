import { getOption, type JsonObject } from "@bufbuild/protobuf";
import { Place, permission, place } from "../../gen/usageflow/v1/permission_pb.ts";
import { examples } from "../support/examples.ts";
import type { Lived, LivedTogether } from "../support/lived-month.ts";
import { services } from "../support/services.ts";
import type { WireAnswer } from "../support/wire.ts";
import { anyCase, type FuzzCase, nameOf, type Target } from "./any-case.ts";
import type { Vocabulary } from "./any-request.ts";
import { faultOf } from "./judge.ts";
import { createSender } from "./sender.ts";

/** Everything that is fuzzed, found from the descriptors. */
export const targets: readonly Target[] = [...services.flatMap((service) => service.methods), "track"];

/** Whether a target changes what all others meet: the tenant's settings, or its clock. */
export function changesAll(target: Target): boolean {
  return target !== "track" && /^(clock|tenant):write$/.test(getOption(target, permission));
}

const CONCURRENCY = 16;
// What takes longer than this, hangs. No test of speed: the machine may be busy.
const HANGS_MS = 30_000;

/** Whom a campaign speaks as, and what it may speak of. */
export interface FuzzPlace {
  url: string;
  /** What opens each of the contract's places. */
  keys: Readonly<Record<Place, string>>;
  lived: Lived & LivedTogether;
  words: Vocabulary;
}

/** A case whose answer was not what it may be. */
export interface Finding {
  target: string;
  number: number;
  why: string;
  made: FuzzCase;
  answer: WireAnswer | undefined;
}

/** What became of the cases of one target. */
export interface Tally {
  target: string;
  cases: number;
  /** How often each code came. */
  codes: Map<string, number>;
  findings: Finding[];
  /** The longest that an answer took. */
  slowestMs: number;
}

/** Sends cases `from` up to, and without, `from + count` of a target, several at a time. */
export async function fuzz(
  target: Target,
  where: FuzzPlace,
  { seed, count, from = 0 }: { seed: number; count: number; from?: number },
): Promise<Tally> {
  const sender = createSender(where.url, callerOf(target, where));
  const tally: Tally = { target: nameOf(target), cases: 0, codes: new Map(), findings: [], slowestMs: 0 };
  const example = target === "track" ? trackExample(where.lived) : examples[target.name]?.(where.lived);
  let next = from;
  const work = async () => {
    while (next < from + count) {
      const number = next++;
      const made = anyCase(target, { seed, number, words: where.words, example });
      const started = performance.now();
      const { answer, why } = await judged(sender.send(made), made);
      tally.cases++;
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - started);
      const code = answer?.code ?? "none";
      tally.codes.set(code, (tally.codes.get(code) ?? 0) + 1);
      if (why) tally.findings.push({ target: tally.target, number, why, made, answer });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  sender.close();
  return tally;
}

/** The headers that say who calls a target: somebody who may. */
export function callerOf(target: Target, { keys }: FuzzPlace): Record<string, string> {
  const runsAt = target === "track" ? Place.UNSPECIFIED : getOption(target, place);
  return { "x-usageflow-api-key": keys[runsAt] ?? "" };
}

function trackExample({ metric, customerId }: Lived): JsonObject {
  return { metric, amount: 1, customerId, properties: { ip: "::1" }, occurredAt: "2015-05-31T12:00:00Z" };
}

/** An answer, and what is wrong with it. */
export async function judged(
  sent: Promise<WireAnswer>,
  made: FuzzCase,
): Promise<{ answer?: WireAnswer; why: string | undefined }> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(resolve, HANGS_MS, "late");
  try {
    const answer = await Promise.race([sent, late]);
    return answer === "late" ? { why: "no answer" } : { answer, why: faultOf(made, answer) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return { why: `no answer that can be read: ${error}${cause}` };
  } finally {
    clearTimeout(timer);
  }
}
