/** Whether JSON is asked for among the arguments that are ours (those before `--`): errors are then JSON too. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const ours = end < 0 ? argv : argv.slice(0, end);
  return ours.some(
    (arg, at) => arg === "--json" || arg === "--output=json" || (arg === "json" && ours[at - 1] === "--output"),
  );
}
