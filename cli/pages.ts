import { Flags } from "@oclif/core";

/** Largest page that the contract allows. */
const PAGE_SIZE_MAX = 1_000;

/** Flags of every command that lists. */
export const listFlags = {
  limit: Flags.integer({ description: "At most this many.", default: 100, min: 1, exclusive: ["all"] }),
  all: Flags.boolean({ description: "All there are." }),
};

/** What was read of a list. */
export interface Found<Item> {
  items: Item[];
  /** Whether something was left out. */
  more: boolean;
}

/** Reads page after page, until there are as many as the flags ask for, or no more. */
export async function readPages<Answer extends { nextPageToken: string }, Item>(
  flags: { limit: number; all: boolean },
  read: (page: { pageSize: number; pageToken: string }) => Promise<Answer>,
  itemsOf: (answer: Answer) => readonly Item[],
): Promise<Found<Item>> {
  const items: Item[] = [];
  const limit = flags.all ? Infinity : flags.limit;
  let pageToken = "";
  do {
    const answer = await read({ pageSize: Math.min(PAGE_SIZE_MAX, limit - items.length), pageToken });
    items.push(...itemsOf(answer));
    pageToken = answer.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return { items, more: pageToken !== "" };
}
