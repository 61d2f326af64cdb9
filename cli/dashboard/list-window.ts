/** The part of a list that is on the screen: from `start`, before `end`. */
export interface ListWindow {
  start: number;
  end: number;
}

/** The window of `height` rows around the selected one, which stays in the middle as far as the list allows. */
export function windowOf(count: number, selected: number, height: number): ListWindow {
  const size = Math.max(0, Math.min(height, count));
  const start = Math.max(0, Math.min(selected - Math.floor(size / 2), count - size));
  return { start, end: start + size };
}

/** A place in a list, held within it. */
export function within(place: number, count: number): number {
  return Math.max(0, Math.min(place, count - 1));
}
