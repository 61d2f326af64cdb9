import type { Key } from "ink";

/**
 * The names of keys in what a terminal sent at once. Several characters come as one text when somebody types faster than
 * frames are drawn, or holds a key: each is a key by itself.
 */
export function keyNames(input: string, key: Key): string[] {
  // Escape and the next key, when they come together, look like one key with Alt.
  if (key.meta && !key.escape && input !== "") return ["escape", ...keyNames(input, { ...key, meta: false })];
  if (key.ctrl) return input === "" ? [] : [`ctrl-${input}`];
  if (key.upArrow) return ["up"];
  if (key.downArrow) return ["down"];
  if (key.leftArrow) return ["left"];
  if (key.rightArrow) return ["right"];
  if (key.pageUp) return ["pageup"];
  if (key.pageDown) return ["pagedown"];
  if (key.home) return ["home"];
  if (key.end) return ["end"];
  if (key.tab) return [key.shift ? "shift-tab" : "tab"];
  if (key.escape) return ["escape"];
  if (key.backspace || key.delete) return ["backspace"];
  if (key.return) return ["enter"];
  return Array.from(input, (character) => NAMES[character] ?? character);
}

const NAMES: Record<string, string> = {
  " ": "space",
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\u007f": "backspace",
  "\u0003": "ctrl-c",
};
