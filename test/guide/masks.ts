// What differs from run to run, in one place. The guide shows what was printed once; a test compares the rest.

/** Ids, keys and secrets. A page may cut them short: `uf_test_…`. */
const NAMES =
  /\b(?:(?:org|mem|tok|ten|key|sub|dsc|inv|crg|crn|evt|whe|whd|rpl)_[0-9A-Za-z]{22}|uf_(?:test|live|pat|inv)_[0-9A-Za-z]*(?:…|[0-9A-Za-z])(?![0-9A-Za-z.])|whsec_[0-9A-Za-z+/]*(?:…|[0-9A-Za-z+/]=*))/g;

/** What a clock on the wall says, and what it measures. Business time is before 2026 on every page, and is compared. */
const TIMES: readonly [RegExp, string][] = [
  [/\b20(?:2[6-9]|[3-9]\d)-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?/g, "<time>"],
  [/\b\d\d:\d\d:\d\d\b/g, "<time>"],
  [/\b\d{10}\b/g, "<unix seconds>"],
  [/\b\d+(?:\.\d+)? ?(?:ms|s)\b/g, "<span>"],
  [/"durationMs":\d+/g, '"durationMs":<span>'],
  [/\bv1,[0-9A-Za-z+/]{43}=/g, "<signature>"],
  [/\buf_(?:test|live|pat)_\w+\.\.\.\w+/g, "<key>"],
  [/\bprocess \d+/g, "process <number>"],
  [/\bfold \d+/g, "fold <number>"], // how many commits one takes
  [/^(Took|Sent by|Headers) +.*/gm, "$1 <once>"],
  [/^(Process +)\d+/gm, "$1<number>"],
];

/** A text without what differs. Columns move with a span's width, so the space between them is not compared then. */
function masked(text: string): string {
  const told = TIMES.reduce((left, [pattern, word]) => left.replace(pattern, word), text);
  return told === text ? text : told.replaceAll(/ {2,}/g, "  ");
}

/** The names of a page and those of this run: one for one. Places, such as ports and folders, are names that are known before. */
export class Names {
  readonly #real = new Map<string, string>();
  readonly #shown = new Map<string, string>();

  /** From now on the page's word stands for the run's. */
  pair(shown: string, real: string): void {
    this.#real.set(shown, real);
    this.#shown.set(real, shown);
  }

  /** What the page says, in the words of this run. */
  toReal(text: string): string {
    return replaced(text, this.#real);
  }

  /** What this run printed, in the words of the page. */
  toShown(text: string): string {
    return replaced(text, this.#shown);
  }

  /** Pairs names that are new: those of a kind in the order in which they stand. */
  learn(shown: string, printed: string): void {
    const free = [...new Set(shown.match(NAMES))].filter((name) => !this.#real.has(name));
    for (const real of new Set(printed.match(NAMES))) {
      if (this.#shown.has(real)) continue;
      const at = free.findIndex((name) => kindOf(name) === kindOf(real));
      const [name = real] = at < 0 ? [] : free.splice(at, 1);
      this.pair(name, real);
    }
  }
}

function kindOf(name: string): string {
  return name.slice(0, name.lastIndexOf("_"));
}

function replaced(text: string, by: ReadonlyMap<string, string>): string {
  return [...by].reduce((left, [from, to]) => left.replaceAll(from, to), text);
}

/** What the page is to show for what was printed: what it shows, if that is the same but for what differs. */
export function settle(shown: string, printed: string, names: Names): string {
  names.learn(shown, printed);
  return settleExactly(shown, printed, names);
}

/** The same where ids, too, are those of the page: runs that are repeatable. */
export function settleExactly(shown: string, printed: string, names: Names): string {
  const told = names.toShown(printed);
  return alike(masked(shown).split("\n"), masked(told).split("\n")) ? shown : told;
}

/** The same for lines whose order nobody promises. */
export function settleInAnyOrder(shown: string, printed: string): string {
  const sorted = (text: string) => masked(text.replace(NAMES, "<name>")).split("\n").toSorted().join("\n");
  return sorted(shown) === sorted(printed) ? shown : printed;
}

/** A line `...` stands for any number of lines. */
function alike(shown: readonly string[], printed: readonly string[]): boolean {
  const at = shown.indexOf("...");
  if (at < 0) return shown.join("\n") === printed.join("\n");
  if (shown.slice(0, at).join("\n") !== printed.slice(0, at).join("\n")) return false;
  const rest = shown.slice(at + 1);
  return printed.slice(at).some((_, skipped) => alike(rest, printed.slice(at + skipped)));
}
