import { Flags } from "@oclif/core";
import type { Showing } from "./output/listing.ts";

/** Largest page that the contract allows. */
const PAGE_SIZE_MAX = 1_000;

/** How much of a list is read. */
export const pageFlags = {
  limit: Flags.integer({ description: "At most this many.", default: 100, min: 1, exclusive: ["all"] }),
  all: Flags.boolean({ description: "All there are." }),
};

/** Flags of every command that lists. `readPages` hands them on, and `answerList` keeps to them. */
export const listFlags = {
  ...pageFlags,
  output: Flags.option({
    options: ["table", "json", "yaml", "csv"] as const,
    description: "How it is written. In CSV, a text that a spreadsheet would compute has a ' before it.",
    default: "table",
  })(),
  columns: Flags.string({
    description: "These columns, such as customer,first-seen; a field of the JSON is one too, such as customerId.",
    helpValue: "NAMES",
    multiple: true,
    delimiter: ",",
  }),
  sort: Flags.string({
    description: "What is shown, by these columns; -NAME: from the largest on.",
    helpValue: "NAMES",
    multiple: true,
    delimiter: ",",
  }),
};

/** What was read of a list. */
export interface Found<Item> {
  items: Item[];
  /** Whether something was left out. */
  more: boolean;
  /** How it is to be shown. Absent: as a table. */
  showing?: Showing;
}

/** Reads page after page, until there are as many as the flags ask for, or no more. */
export async function readPages<Answer extends { nextPageToken: string }, Item>(
  flags: { limit: number; all: boolean } & Showing,
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
  return { items, more: pageToken !== "", showing: flags };
}

/** Of a list that came whole, what the flags ask for. */
export function cutTo<Item>(flags: { limit: number; all: boolean } & Showing, whole: readonly Item[]): Found<Item> {
  const items = flags.all ? [...whole] : whole.slice(0, flags.limit);
  return { items, more: items.length < whole.length, showing: flags };
}
