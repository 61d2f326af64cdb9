import { closest, distance } from "fastest-levenshtein";

/** What was typed, and the commands and topics that there are, such as `invoices list` and `invoices`. */
export interface CommandLine {
  argv: readonly string[];
  known: readonly string[];
}

const ROOT_FLAGS = ["--help", "--version"];
const OVERVIEW = "See what there is: usageflow --help";

/** What is wrong with a command line, in words, and what to do: from an error of oclif's, whose parser found it. */
export function usageFailure(message: string, { argv, known }: CommandLine): { message: string; hint: string } {
  const words = wordsOf(argv);
  const command = words.map((_, at) => words.slice(0, at + 1).join(" ")).findLast((start) => known.includes(start));
  if (!/^command \S+ not found/i.test(message)) return { message, hint: `See: usageflow ${command ?? ""} --help` };
  const [first = ""] = argv;
  if (words.length === 0) return { message: `there is no flag ${first}`, hint: meant(first, ROOT_FLAGS) };
  const isTopic = known.some((one) => one.startsWith(`${command} `));
  if (command !== undefined && !isTopic) {
    const extra = words.join(" ").slice(command.length + 1);
    return { message: `Unexpected argument: ${extra}`, hint: `See: usageflow ${command} --help` };
  }
  const said = words.slice(0, 2).join(" "); // no command has more words; others are its arguments
  return { message: `there is no command "${words.join(" ")}"`, hint: meant(said, known) };
}

function wordsOf(argv: readonly string[]): readonly string[] {
  const firstFlag = argv.findIndex((arg) => arg.startsWith("-"));
  return firstFlag < 0 ? argv : argv.slice(0, firstFlag);
}

/** The nearest of those that there are, when it is near. */
function meant(said: string, known: readonly string[]): string {
  const nearest = closest(said, known);
  const isNear = nearest !== undefined && distance(said, nearest) <= Math.max(2, said.length / 4);
  return isNear ? `Did you mean: usageflow ${nearest}? ${OVERVIEW}` : OVERVIEW;
}
