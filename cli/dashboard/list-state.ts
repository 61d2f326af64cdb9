import { within } from "./list-window.ts";

/** A list that is read from a server, and looked through. */
export interface ListState<Item> {
  readonly items: readonly Item[];
  /** Those that the filter lets through; all without one. */
  readonly shown: readonly Item[];
  /** Place in `shown`. */
  readonly selected: number;
  readonly filter: string;
  /** Whether the first items have come. */
  readonly loaded: boolean;
  /** Where to go on reading. Empty: that was all. */
  readonly nextPageToken: string;
}

/** How the items of a list are told apart, and what a filter looks at. */
export interface ListTraits<Item> {
  idOf(item: Item): string;
  /** In small letters. */
  textOf(item: Item): string;
}

/** A list of which nothing is known yet. */
export function emptyList<Item>(): ListState<Item> {
  return { items: [], shown: [], selected: 0, filter: "", loaded: false, nextPageToken: "" };
}

/** The item that keys act on. */
export function selectedOf<Item>({ shown, selected }: ListState<Item>): Item | undefined {
  return shown[selected];
}

/** The list with the cursor moved by so many rows. */
export function moved<Item>(list: ListState<Item>, by: number): ListState<Item> {
  return { ...list, selected: within(list.selected + by, list.shown.length) };
}

/** The list with a filter: all of its words must be in an item's text. */
export function filtered<Item>(list: ListState<Item>, filter: string, traits: ListTraits<Item>): ListState<Item> {
  const next = { ...list, filter };
  return { ...next, shown: shownOf(next, traits), selected: 0 };
}

/**
 * The list with other items. The cursor stays on the item that it is on; at the top it stays at the top, so that a list that
 * grows there is followed.
 */
export function withItems<Item>(
  list: ListState<Item>,
  items: readonly Item[],
  traits: ListTraits<Item>,
): ListState<Item> {
  const next = { ...list, items, loaded: true };
  const shown = shownOf(next, traits);
  const here = selectedOf(list);
  if (here === undefined || list.selected === 0) return { ...next, shown, selected: 0 };
  const id = traits.idOf(here);
  const place = shown.findIndex((item) => traits.idOf(item) === id);
  return { ...next, shown, selected: place >= 0 ? place : within(list.selected, shown.length) };
}

/** Items with news of them: what is known is replaced in its place, what is new comes before all others. */
export function mergedNewest<Item>(
  items: readonly Item[],
  news: readonly Item[],
  { idOf }: Pick<ListTraits<Item>, "idOf">,
): Item[] {
  const left = new Map(news.map((item) => [idOf(item), item]));
  const known = items.map((item) => {
    const id = idOf(item);
    const newer = left.get(id);
    left.delete(id);
    return newer ?? item;
  });
  return [...left.values(), ...known];
}

function shownOf<Item>({ items, filter }: ListState<Item>, { textOf }: ListTraits<Item>): readonly Item[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return items;
  return items.filter((item) => {
    const text = textOf(item);
    return words.every((word) => text.includes(word));
  });
}
