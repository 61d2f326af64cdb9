/**
 * Makes of `work` on many a function for one. The first that asks waits for `pause`; what is asked for meanwhile, and
 * while the batch before is under way, comes along. Each caller hears of its own batch's failure.
 */
export function inBatches<Item, Result>(
  work: (items: readonly Item[]) => Promise<Result>,
  pause: () => Promise<void>,
): (item: Item) => Promise<Result> {
  let waiting: Item[] = [];
  let batch: Promise<Result>;
  let before: Promise<unknown> = Promise.resolve();
  const run = async (): Promise<Result> => {
    await Promise.allSettled([before, pause()]);
    const items = waiting;
    waiting = [];
    return work(items);
  };
  return (item) => {
    waiting.push(item);
    if (waiting.length === 1) before = batch = run();
    return batch;
  };
}
