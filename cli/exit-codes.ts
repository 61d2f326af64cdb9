/** What each exit code means, for scripts. Kinds of failures are those of `errors.ts`. */
export const EXIT_CODES: readonly { exit: number; short: string; kinds: readonly string[]; meaning: string }[] = [
  { exit: 0, short: "done", kinds: [], meaning: "Done." },
  { exit: 1, short: "failed", kinds: ["failed"], meaning: "Failed, for a reason that no other code names." },
  { exit: 2, short: "wrong usage", kinds: ["usage"], meaning: "The command line is wrong. Nothing was done." },
  {
    exit: 3,
    short: "not allowed",
    kinds: ["unauthenticated", "permission_denied"],
    meaning: "No key, a wrong one, or one that may not do this.",
  },
  { exit: 4, short: "not found", kinds: ["not_found"], meaning: "What was named is not there." },
  {
    exit: 5,
    short: "conflict",
    kinds: ["already_exists", "failed_precondition", "aborted"],
    meaning: "It is there already, or not in a state in which this can be done.",
  },
  {
    exit: 6,
    short: "unreachable",
    kinds: ["unavailable"],
    meaning: "The server cannot be reached. Nothing is known to be done.",
  },
  {
    exit: 7,
    short: "timed out",
    kinds: ["deadline_exceeded"],
    meaning: "It took too long, or what was waited for did not come.",
  },
  { exit: 130, short: "interrupted", kinds: ["interrupted"], meaning: "Somebody pressed Ctrl-C." },
];

/** The exit code of a kind of failure: 1 for those that have none. */
export function exitCodeOf(kind: string): number {
  return EXIT_CODES.find(({ kinds }) => kinds.includes(kind))?.exit ?? 1;
}

/** The list, for `usageflow help exit-codes`. */
export function exitCodesText(): string {
  const lines = EXIT_CODES.map(
    ({ exit, short, meaning }) => `${String(exit).padStart(5)}  ${short.padEnd(12)}  ${meaning}`,
  );
  return `EXIT CODES\n${lines.join("\n")}\n\n\`emulator exec\` exits with its command's code.\n`;
}
