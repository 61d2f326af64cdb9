/** Cuts items into runs, in their order, of which none weighs more than `most`; an item that weighs more is alone. */
export function cutByWeight<T>(items: readonly T[], most: number, weightOf: (item: T) => number): T[][] {
  const runs: T[][] = [];
  let left = 0;
  for (const item of items) {
    const weight = weightOf(item);
    if (weight <= left) runs.at(-1)?.push(item);
    else {
      runs.push([item]);
      left = most;
    }
    left -= weight;
  }
  return runs;
}
