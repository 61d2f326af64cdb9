import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import { onTestFinished } from "vitest";

/** A program on a terminal of its own. */
export interface Screen {
  /** Types, one key after the other: `enter`, `escape`, `down`, or a character. */
  press(...keys: readonly string[]): void;
  /** Sends as it is, at once. */
  write(text: string): void;
  resize(columns: number, rows: number): void;
  /** What is on the screen, without blanks at the ends of lines. */
  text(): string;
  /** Answers the text when it has this, or passes. */
  until(wanted: string | ((text: string) => boolean)): Promise<string>;
  /** Whether the program has the screen for itself: what was there before comes back when it ends. */
  isAlternate(): boolean;
  /** The cells of a line with a background, for what is marked. */
  marked(line: number): boolean;
  /** All that was written, with its escapes. */
  raw(): string;
  /** The exit code. */
  ended: Promise<number>;
  kill(signal: string): void;
}

const KEYS: Record<string, string> = {
  enter: "\r",
  escape: "\x1b",
  down: "\x1b[B",
  up: "\x1b[A",
  left: "\x1b[D",
  right: "\x1b[C",
  tab: "\t",
  "shift-tab": "\x1b[Z",
  "ctrl-c": "\x03",
};
const PATIENCE_MS = 20_000;

/** Starts a program on a terminal with a real screen buffer. It is ended when the test is finished. */
export function startScreen(
  command: readonly [string, ...string[]],
  env: Record<string, string>,
  { columns = 80, rows = 24 } = {},
): Screen {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  const [file, ...args] = command;
  const child = spawn(file, args, { cols: columns, rows, name: "xterm-256color", env });
  const waiting = new Set<() => void>();
  let raw = ""; // what is on the screen, so far
  child.onData((data) => {
    terminal.write(data, () => {
      raw += data;
      for (const look of waiting) look();
    });
  });
  const ended = new Promise<number>((resolve) => child.onExit(({ exitCode }) => resolve(exitCode)));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  onTestFinished(() => {
    if (!isOver) child.kill("SIGKILL");
    terminal.dispose();
  });
  const text = () => {
    const { active } = terminal.buffer;
    const lines = Array.from({ length: terminal.rows }, (_, at) => active.getLine(active.viewportY + at));
    return lines.map((line) => line?.translateToString(true, 0, terminal.cols) ?? "").join("\n");
  };
  return {
    press(...keys) {
      for (const key of keys) child.write(KEYS[key] ?? key);
    },
    write: (data) => child.write(data),
    resize(cols, height) {
      terminal.resize(cols, height);
      child.resize(cols, height);
    },
    text,
    until(wanted) {
      // Half a frame is no screen: programs say where one begins and ends (synchronized output).
      const isWhole = () => raw.lastIndexOf("\x1b[?2026l") >= raw.lastIndexOf("\x1b[?2026h");
      const isThere = () => isWhole() && (typeof wanted === "string" ? text().includes(wanted) : wanted(text()));
      return new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(look);
        };
        const timer = setTimeout(() => {
          done();
          reject(new Error(`never came: ${wanted}\n${text()}`));
        }, PATIENCE_MS);
        const look = () => {
          if (!isThere()) return;
          done();
          resolve(text());
        };
        waiting.add(look);
        look();
      });
    },
    isAlternate: () => terminal.buffer.active.type === "alternate",
    marked: (line) => (terminal.buffer.active.getLine(line)?.getCell(4)?.isBgDefault() ?? 1) === false,
    raw: () => raw,
    ended,
    kill: (signal) => child.kill(signal),
  };
}
