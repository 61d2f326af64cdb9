/** A line cut at spaces to the width of the terminal, what follows indented. Without a terminal (a pipe): as it is. */
export function folded(
  text: string,
  indent: number,
  width = process.stdout.isTTY ? process.stdout.columns : Infinity,
): string {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    if (space <= indent) break; // a word that is longer than the line: the terminal cuts it
    lines.push(rest.slice(0, space));
    rest = " ".repeat(indent) + rest.slice(space + 1);
  }
  return [...lines, rest].join("\n");
}
