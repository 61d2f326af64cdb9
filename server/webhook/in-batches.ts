/**
 * Makes of `work` on many a function for one. The first that asks waits for `pause`; what is asked for meanwhile, and
 * while `atOnce` batches before are under way, comes along. Each caller hears of its own batch's failure.
 */
export function inBatches<Item, Result>(
  work: (items: readonly Item[]) => Promise<Result>,
  pause: () => Promise<void>,
  atOnce = 1,
): (item: Item) => Promise<Result> {
  let waiting: Item[] = [];
  let batch: Promise<Result>;
  const latest: Promise<unknown>[] = []; // as many as may be under way, the newest last
  const run = async (): Promise<Result> => {
    await Promise.allSettled([latest.length === atOnce ? latest.shift() : undefined, pause()]);
    const items = waiting;
    waiting = [];
    return work(items);
  };
  return (item) => {
    waiting.push(item);
    if (waiting.length === 1) {
      batch = run();
      latest.push(batch);
    }
    return batch;
  };
}
