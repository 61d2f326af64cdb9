import { readFile } from "node:fs/promises";
import { type Command, Config } from "@oclif/core";
import { listFlags } from "../../cli/pages.ts";

const root = new URL("../../", import.meta.url).pathname;
const BIN = "usageflow";

/** The page of all commands, from what they say of themselves: those that were built. */
export async function commandPage(): Promise<string> {
  const config = await Config.load({ root });
  const { oclif } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
  const commands = config.commands
    .filter(({ hidden }) => !hidden)
    .map((command) => ({ ...command, name: command.id.replaceAll(":", " ") }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const topics = Map.groupBy(commands, ({ name }) => (name.includes(" ") ? (name.split(" ")[0] as string) : ""));
  const parts = [...topics]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, ofIt]) => [topicText(topic, oclif.topics[topic]?.description ?? ""), ...ofIt.map(commandText)]);
  return `${HEAD}\n${globalFlags(commands)}\n${parts.join("\n")}`;
}

const HEAD = `# Commands

All commands with their arguments and flags. This page is written by \`npm run gen:docs\`; \`usageflow COMMAND --help\` says the
same. What scripts can rely on: \`usageflow help exit-codes\`.
`;

type Named = Command.Loadable & { name: string };

/** Flags that most commands have, told once. */
const GLOBAL = ["json", "url", "api-key", "tenant", "profile"];

function globalFlags(commands: readonly Named[]): string {
  const list = commands.find(({ flags }) => "api-key" in flags && "columns" in flags);
  if (!list) throw new Error("there is no list of commands: were they built?");
  const of = (names: readonly string[]) =>
    flagTable(Object.values(list.flags).filter(({ name }) => names.includes(name)));
  return [
    `All commands have \`--json\`. Those that call a server have these flags besides:\n\n${of(GLOBAL.slice(1))}`,
    `Lists have these, too:\n\n${of(Object.keys(listFlags))}`,
  ].join("\n");
}

function topicText(topic: string, description: string): string {
  return topic ? `## ${topic}\n\n${description}\n` : "## Commands of one word\n";
}

function commandText({ name, args, flags, summary, description, examples }: Named): string {
  const words = Object.values(args).map((arg) => (arg.required ? arg.name : `[${arg.name}]`).toUpperCase());
  const told = Object.keys(listFlags).every((flag) => flag in flags) ? [...GLOBAL, ...Object.keys(listFlags)] : GLOBAL;
  const own = Object.values(flags).filter((flag) => !told.includes(flag.name));
  const shown = (examples ?? []).map((one) => filled(typeof one === "string" ? one : one.command, name));
  return [
    `### ${[name, ...words].join(" ")}\n`,
    `${oneLine(summary ?? "")}\n`,
    ...(description ? [`${description}\n`] : []),
    ...(Object.keys(args).length > 0 ? [`${argumentTable(Object.values(args))}`] : []),
    ...(own.length > 0 ? [flagTable(own)] : []),
    `\`\`\`sh\n${shown.join("\n")}\n\`\`\`\n`,
  ].join("\n");
}

function argumentTable(args: readonly Command.Arg.Cached[]): string {
  return table(
    "argument",
    args.map((arg) => [arg.name.toUpperCase(), arg.description ?? ""]),
  );
}

function flagTable(flags: readonly Command.Flag.Cached[]): string {
  const sorted = [...flags].sort((a, b) => (a.name < b.name ? -1 : 1));
  return table(
    "flag",
    sorted.map((flag) => [flagName(flag), flagWords(flag)]),
  );
}

function flagName(flag: Command.Flag.Cached): string {
  if (flag.type === "boolean") return `--${flag.allowNo ? "[no-]" : ""}${flag.name}`;
  return `--${flag.name} ${flag.options?.join("|") ?? flag.helpValue ?? "VALUE"}`;
}

function flagWords(flag: Command.Flag.Cached): string {
  const notes = [
    ...(flag.required ? ["needed"] : []),
    ...(flag.type === "option" && flag.multiple ? ["may be repeated"] : []),
    ...(flag.env ? [`\`${flag.env}\``] : []),
  ];
  return `${flag.summary ?? flag.description ?? ""}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
}

function table(title: string, rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([name, words]) => `| \`${cell(name)}\` | ${cell(words)} |`);
  return [`| ${title} | what it is |`, "|---|---|", ...lines, ""].join("\n");
}

function cell(text: string): string {
  return oneLine(text).replaceAll("|", "\\|");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}

function filled(example: string, name: string): string {
  return example.replaceAll("<%= config.bin %>", BIN).replaceAll("<%= command.id %>", name);
}
