import { near } from "./near.ts";

/** What was typed, and what there is. */
export interface CommandLine {
  argv: readonly string[];
  /** Commands and topics, such as `invoices list` and `invoices`. */
  known: readonly string[];
  /** The flags of a command, such as `--json`. */
  flagsOf?: (command: string) => readonly string[];
  /** Its arguments in their order, such as `CUSTOMER`. */
  argsOf?: (command: string) => readonly string[];
}

/** Arguments and flags of the command that was typed, such as `CUSTOMER` and `--json`. */
export function takenBy(line: CommandLine): readonly string[] {
  const command = commandOf(line) ?? "";
  return [...(line.argsOf?.(command) ?? []), ...(line.flagsOf?.(command) ?? [])];
}

/** What was given once for a flag such as `--endpoint`, or for an argument such as `ID` before all flags. */
export function givenFor(name: string, line: CommandLine): string | undefined {
  if (!name.startsWith("--")) {
    const command = commandOf(line) ?? "";
    const place = line.argsOf?.(command).indexOf(name) ?? -1;
    return place < 0 ? undefined : wordsOf(line.argv)[command.split(" ").length + place];
  }
  const [at, ...more] = line.argv.flatMap((arg, i) => (arg === name || arg.startsWith(`${name}=`) ? i : []));
  if (at === undefined || more.length > 0) return undefined;
  return line.argv[at] === name ? line.argv[at + 1] : line.argv[at]?.slice(name.length + 1);
}

const ROOT_FLAGS = ["--help", "--version"];
const OVERVIEW = "See what there is: usageflow --help";

/** What is wrong with a command line, in words, and what to do: from an error of oclif's, whose parser found it. */
export function usageFailure(message: string, line: CommandLine): { message: string; hint: string } {
  const { argv, known } = line;
  const words = wordsOf(argv);
  const command = commandOf(line);
  const more = `See: usageflow ${command ?? ""} --help`;
  const plain = missingWords(message) ?? togetherWords(message);
  if (plain !== undefined) return { message: plain, hint: more };
  const [, flags] = /^Nonexistent flags?: (.+)$/s.exec(message) ?? [];
  if (flags !== undefined) return { message, hint: meantFlags(flags, line.flagsOf?.(command ?? "") ?? []) + more };
  if (!/^command \S+ not found/i.test(message)) return { message, hint: more };
  const [first = ""] = argv;
  if (words.length === 0) return { message: `there is no flag ${first}`, hint: meant(first, ROOT_FLAGS) };
  const isTopic = known.some((one) => one.startsWith(`${command} `));
  if (command !== undefined && !isTopic) {
    const extra = words.join(" ").slice(command.length + 1);
    return { message: `Unexpected argument: ${extra}`, hint: more };
  }
  const unknown = `there is no command "${words.join(" ")}"`;
  // What is right so far is not compared: below a long name, everything would be near.
  if (command !== undefined) return { message: unknown, hint: meantBelow(command, words, known) };
  const said = words.slice(0, 2).join(" "); // hardly a command has more words; others are its arguments
  return { message: unknown, hint: meant(said, known) };
}

/** The command or the topic that a line begins with. */
function commandOf({ argv, known }: CommandLine): string | undefined {
  const words = wordsOf(argv);
  return words.map((_, at) => words.slice(0, at + 1).join(" ")).findLast((start) => known.includes(start));
}

/** What oclif says at length, with advice on other flags. */
function missingWords(message: string): string | undefined {
  const [, args] = /^Missing \d+ required args?:\n(.*?)(?:\n\n|$)/s.exec(message) ?? [];
  if (args === undefined) {
    const flags = Array.from(message.matchAll(/Missing required flag (\S+)/g), ([, name]) => `--${name}`);
    return flags.length > 0 ? areMissing(flags) : undefined;
  }
  const names = Array.from(args.matchAll(/^\S+/gm), ([name]) => name.toUpperCase());
  return areMissing(names);
}

/** Which flags go together, and which do not: the first that oclif found. */
function togetherWords(message: string): string | undefined {
  const [, needing, needed] = /^All of the following must be provided when using (--\S+): (.+)$/m.exec(message) ?? [];
  if (needing) return `${needing} goes with ${needed}`;
  const [, one, other] = /^(--[^=\s]+)\S* cannot also be provided when using (--\S+)$/m.exec(message) ?? [];
  return one && `${other} and ${one} do not go together`;
}

function areMissing(names: readonly string[]): string {
  return `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} missing`;
}

function wordsOf(argv: readonly string[]): readonly string[] {
  const firstFlag = argv.findIndex((arg) => arg.startsWith("-"));
  return firstFlag < 0 ? argv : argv.slice(0, firstFlag);
}

function meant(said: string, known: readonly string[]): string {
  const nearest = near(said, known);
  return nearest ? `Did you mean: usageflow ${nearest}? ${OVERVIEW}` : OVERVIEW;
}

/** Flags of which one command has one and another has another, for much the same. */
const ALIKE = [
  ["--to", "--before", "--until", "--period-before"],
  ["--from", "--since", "--after", "--period-from", "--start-at"],
  ["--output", "--format", "--out"],
  ["--type", "--event", "--events"],
  ["--state", "--status"],
  ["--limit", "--count"],
  ["--expires", "--expires-in"],
];

function meantFlags(said: string, known: readonly string[]): string {
  const wrong = said.split(", ").map((flag) => flag.replace(/=.*$/s, ""));
  const meant = wrong.flatMap((flag) => alike(flag, known) ?? near(flag, known) ?? []);
  return meant.length > 0 ? `Did you mean: ${[...new Set(meant)].join(" or ")}? ` : "";
}

/** What the command has in the place of a flag that others have. */
function alike(flag: string, known: readonly string[]): readonly string[] | undefined {
  const others = ALIKE.find((group) => group.includes(flag))?.filter((one) => known.includes(one)) ?? [];
  return others.length > 0 ? others : undefined;
}

function meantBelow(topic: string, words: readonly string[], known: readonly string[]): string {
  const below = known.filter((one) => one.startsWith(`${topic} `)).map((one) => one.slice(topic.length + 1));
  const nearest = near(words[topic.split(" ").length] ?? "", below);
  const all = `See what there is: usageflow ${topic} --help`;
  return nearest ? `Did you mean: usageflow ${topic} ${nearest}? ${all}` : all;
}
