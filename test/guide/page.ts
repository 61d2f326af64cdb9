/** A fenced block of a page of the guide. */
export interface Block {
  /** The page and the line, for messages. */
  place: string;
  language: string;
  /** What stands after the language: `file=catalog.yaml`, `terminal=handler`, `any-order`, `exact`, `screen=overview`, `not-run`. A word without a value has "". */
  words: Record<string, string>;
  lines: string[];
}

/** A page: its blocks, and the text between them. */
export interface Page {
  name: string;
  parts: (Block | string)[];
}

/** A command of a console block, and what the page says it prints. */
export interface Example {
  /** As it stands on the page, after the `$`, over several lines where they end with a backslash. Empty: none, in a terminal where one runs. */
  command: string;
  shown: string;
  /** Empty lines below, which part it from the next. */
  gap: string;
}

const FENCE = "```";

/** Takes a page apart. `writePage` puts it together again. */
export function readPage(name: string, text: string): Page {
  const parts: (Block | string)[] = [];
  let open: Block | undefined;
  text.split("\n").forEach((line, at) => {
    if (open && line === FENCE) open = undefined;
    else if (open) open.lines.push(line);
    else if (line.startsWith(FENCE)) {
      const [language = "", ...rest] = line.slice(FENCE.length).split(" ");
      const words = Object.fromEntries(rest.map((word) => word.split("=", 2)).map(([key, value = ""]) => [key, value]));
      open = { place: `${name}:${at + 1}`, language, words, lines: [] };
      parts.push(open);
    } else parts.push(line);
  });
  if (open) throw new Error(`${open.place}: the block does not end`);
  return { name, parts };
}

/** The text of a page. */
export function writePage({ parts }: Page): string {
  return parts.map((part) => (typeof part === "string" ? part : blockText(part))).join("\n");
}

function blockText({ language, words, lines }: Block): string {
  const info = Object.entries(words).map(([key, value]) => (value ? ` ${key}=${value}` : ` ${key}`));
  return [`${FENCE}${language}${info.join("")}`, ...lines, FENCE].join("\n");
}

/** The blocks of a page. */
export function blocksOf({ parts }: Page): Block[] {
  return parts.filter((part) => typeof part !== "string");
}

/** What is typed in a console block, and what comes of it. */
export function examplesOf({ lines }: Block): Example[] {
  const found: Example[] = [];
  let isCommand = false;
  for (const line of lines) {
    const last = found.at(-1);
    if (line.startsWith("$ ")) found.push({ command: line.slice(2), shown: "", gap: "" });
    else if (last && isCommand) last.command += `\n${line}`;
    else if (last) last.shown += `${line}\n`;
    else found.push({ command: "", shown: `${line}\n`, gap: "" });
    isCommand = (isCommand || line.startsWith("$ ")) && line.endsWith("\\");
  }
  return found.map(({ command, shown }) => {
    const [, text = "", gap = ""] = /^(.*?[^\n]\n|)(\n*)$/s.exec(shown) ?? [];
    return { command, shown: text, gap };
  });
}

/** The lines of a console block of these examples. */
export function linesOf(examples: readonly Example[]): string[] {
  const text = examples.map(({ command, shown, gap }) => (command ? `$ ${command}\n` : "") + shown + gap).join("");
  return text.replace(/\n$/, "").split("\n");
}
