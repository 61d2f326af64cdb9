import { endIfOver } from "./db/call-time.ts";

// One thread answers everybody. Work on much of one tenant's is done in pieces, so that no call waits for more than one.

// How long a piece may last: little beside what an answer takes, much beside what it costs to go on.
const PIECE_MS = 10;

/** Who gave way and is to go on, the first first. */
const waiting: (() => void)[] = [];
let begunAt = 0;

/**
 * Between two pieces of work: lets all others of this process have their turn where it has gone on for long enough. Those who
 * gave way go on one by one, each in a turn of the event loop of its own. Throws when the work is for a call that is over.
 */
export async function giveWay(): Promise<void> {
  if (performance.now() - begunAt < PIECE_MS) return;
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn);
  });
  endIfOver();
}

/** Does the same to one after the other, and gives way in between. */
export async function inPieces<T, R>(
  items: readonly T[],
  work: (item: T, place: number) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const [place, item] of items.entries()) {
    await giveWay();
    results.push(await work(item, place));
  }
  return results;
}

function goOn(): void {
  begunAt = performance.now();
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(goOn);
}
