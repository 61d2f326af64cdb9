import { Flags } from "@oclif/core";

/** Largest page that the contract allows. */
const PAGE_SIZE_MAX = 1_000;

/** Flags of every command that lists. */
export const listFlags = {
  limit: Flags.integer({ description: "At most this many.", default: 100, min: 1, exclusive: ["all"] }),
  all: Flags.boolean({ description: "All there are." }),
};

/** One page of a list, as the contract answers it. */
export interface Page<Item> {
  items: readonly Item[];
  nextPageToken: string;
}

/** Reads page after page, until there are enough or no more. `more` says whether something was left out. */
export async function readPages<Item>(
  flags: { limit: number; all: boolean },
  read: (page: { pageSize: number; pageToken: string }) => Promise<Page<Item>>,
): Promise<{ items: Item[]; more: boolean }> {
  const items: Item[] = [];
  const limit = flags.all ? Infinity : flags.limit;
  let pageToken = "";
  do {
    const page = await read({ pageSize: Math.min(PAGE_SIZE_MAX, limit - items.length), pageToken });
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return { items, more: pageToken !== "" };
}
