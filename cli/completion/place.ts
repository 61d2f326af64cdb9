import type { CommandNote, Notes } from "./complete.ts";

/** Where in a command line somebody is, and what stands there already. */
export type Place = {
  /** What is written of the word. */
  current: string;
  /** What stands before it in the same word, as `--state=`. */
  before: string;
} & (
  | { kind: "command"; words: readonly string[] }
  | { kind: "flag"; command: CommandNote; used: ReadonlySet<string> }
  | { kind: "value"; of: { name: string; options?: string[] } }
  | { kind: "nothing" }
);

/** The place at the end of these words, the last of which is being written. */
export function placeOf(given: readonly string[], { commands }: Notes): Place {
  const words = given[0] === "help" ? given.slice(1) : given;
  const done = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const firstFlag = done.findIndex((word) => word.startsWith("-"));
  const leading = firstFlag < 0 ? done : done.slice(0, firstFlag);
  const length = leading.findLastIndex((_, at) => leading.slice(0, at + 1).join(":") in commands) + 1;
  const command = commands[leading.slice(0, length).join(":")];
  if (!command) return { kind: "command", words: leading, current, before: "" };
  return { ...placeIn(command, done.slice(length), current) };
}

function placeIn(command: CommandNote, done: readonly string[], current: string): Place {
  const nothing = { kind: "nothing", current, before: "" } as const;
  if (done.includes("--")) return nothing;
  const used = new Set<string>();
  let positional = 0;
  for (let at = 0; at < done.length; at++) {
    const word = done[at] as string;
    const [, name, hasValue] = /^--([^=]+)(=)?/.exec(word) ?? [];
    if (name === undefined) {
      positional++;
      continue;
    }
    used.add(name);
    const flag = command.flags[name];
    if (flag?.type !== "option" || hasValue) continue;
    if (done[at + 1] === "=") at++; // bash cuts --state=paid into three words
    if (at + 1 === done.length) return { kind: "value", of: flag, current: current === "=" ? "" : current, before: "" };
    at++;
  }
  const [, name, value] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  const flag = name === undefined ? undefined : command.flags[name];
  if (flag?.type === "option") return { kind: "value", of: flag, current: value ?? "", before: `--${name}=` };
  if (current.startsWith("-")) return { kind: "flag", command, used, current, before: "" };
  const arg = Object.values(command.args)[positional];
  return arg ? { kind: "value", of: arg, current, before: "" } : nothing;
}
