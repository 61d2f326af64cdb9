const LEVELS = "▁▂▃▄▅▆▇█";

/** Values added up into at most `width` groups of neighbours, equal in size but for the first. */
export function grouped(values: readonly number[], width: number): number[] {
  const size = Math.max(1, Math.ceil(values.length / Math.max(1, width)));
  const groups: number[] = [];
  for (let end = values.length; end > 0; end -= size) {
    groups.unshift(values.slice(Math.max(0, end - size), end).reduce((sum, value) => sum + value, 0));
  }
  return groups;
}

/**
 * Columns of block characters, top line first. Scaled to the largest value; what is more than nothing stands out from the
 * base line, and nothing is the base line.
 */
export function columns(values: readonly number[], height: number): string[] {
  const most = Math.max(...values, 0);
  const steps = LEVELS.length * height - 1; // the lowest is the base line
  const heights = values.map((value) => (value > 0 && most > 0 ? Math.max(1, Math.round((value / most) * steps)) : 0));
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * LEVELS.length;
    return heights.map((filled) => cellOf(filled + 1 - below)).join("");
  });
}

/** The same in one line. */
export function sparkline(values: readonly number[]): string {
  return columns(values, 1)[0] as string;
}

function cellOf(eighths: number): string {
  if (eighths <= 0) return " ";
  return LEVELS[Math.min(eighths, LEVELS.length) - 1] as string;
}
