import { closest, distance } from "fastest-levenshtein";

/** What was typed, and what there is. */
export interface CommandLine {
  argv: readonly string[];
  /** Commands and topics, such as `invoices list` and `invoices`. */
  known: readonly string[];
  /** The flags of a command, such as `--json`. */
  flagsOf?: (command: string) => readonly string[];
}

const ROOT_FLAGS = ["--help", "--version"];
const OVERVIEW = "See what there is: usageflow --help";

/** What is wrong with a command line, in words, and what to do: from an error of oclif's, whose parser found it. */
export function usageFailure(message: string, line: CommandLine): { message: string; hint: string } {
  const { argv, known } = line;
  const words = wordsOf(argv);
  const command = words.map((_, at) => words.slice(0, at + 1).join(" ")).findLast((start) => known.includes(start));
  const more = `See: usageflow ${command ?? ""} --help`;
  const [, flag] = /^Nonexistent flag: (\S+)$/.exec(message) ?? [];
  if (flag !== undefined) return { message, hint: meantFlag(flag, line.flagsOf?.(command ?? "") ?? []) + more };
  if (!/^command \S+ not found/i.test(message)) return { message, hint: more };
  const [first = ""] = argv;
  if (words.length === 0) return { message: `there is no flag ${first}`, hint: meant(first, ROOT_FLAGS) };
  const isTopic = known.some((one) => one.startsWith(`${command} `));
  if (command !== undefined && !isTopic) {
    const extra = words.join(" ").slice(command.length + 1);
    return { message: `Unexpected argument: ${extra}`, hint: more };
  }
  const said = words.slice(0, 2).join(" "); // no command has more words; others are its arguments
  return { message: `there is no command "${words.join(" ")}"`, hint: meant(said, known) };
}

function wordsOf(argv: readonly string[]): readonly string[] {
  const firstFlag = argv.findIndex((arg) => arg.startsWith("-"));
  return firstFlag < 0 ? argv : argv.slice(0, firstFlag);
}

function meant(said: string, known: readonly string[]): string {
  const nearest = near(said, known);
  return nearest ? `Did you mean: usageflow ${nearest}? ${OVERVIEW}` : OVERVIEW;
}

function meantFlag(said: string, known: readonly string[]): string {
  const nearest = near(said.replace(/=.*$/s, ""), known);
  return nearest ? `Did you mean: ${nearest}? ` : "";
}

/** The nearest of those that there are, when it is near. */
function near(said: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const nearest = closest(said, known);
  return distance(said, nearest) <= Math.max(2, said.length / 4) ? nearest : undefined;
}
