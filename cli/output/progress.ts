/** A line on the terminal that says how far something is. Not there when stderr is no terminal. */
export interface Progress {
  show(text: string): void;
  /** Takes the line away. */
  end(): void;
}

const BETWEEN_MS = 100;

/** A progress line on stderr. */
export function createProgress(stream = process.stderr): Progress {
  if (!stream.isTTY || process.env.TERM === "dumb") return { show() {}, end() {} };
  let shownAt = -Infinity;
  return {
    show(text) {
      if (performance.now() - shownAt < BETWEEN_MS) return;
      shownAt = performance.now();
      stream.write(`\r${text.slice(0, stream.columns - 1)}\x1b[K`);
    },
    end() {
      if (shownAt > 0) stream.write("\r\x1b[K");
      shownAt = -Infinity;
    },
  };
}
