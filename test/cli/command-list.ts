import type { Command } from "@oclif/core";

/** What all commands have that call a server, said once. */
const SERVER_FLAGS = ["api-key", "profile", "url"];
const ALL_FLAGS = ["json"];

/** All commands with their arguments and flags, one a line: what scripts rely on. */
export function commandList(commands: readonly Command.Loadable[]): string {
  const told = commands
    .map((command) => ({ ...command, name: command.id.replaceAll(":", " ") }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return told.map(commandText).join("\n");
}

function commandText({ name, args, flags, hidden }: Command.Loadable & { name: string }): string {
  const words = Object.values(args).map((arg) =>
    arg.required ? arg.name.toUpperCase() : `[${arg.name.toUpperCase()}]`,
  );
  const server = SERVER_FLAGS.every((flag) => flag in flags) ? " (calls a server)" : "";
  const own = Object.values(flags)
    .filter((flag) => !ALL_FLAGS.includes(flag.name) && !SERVER_FLAGS.includes(flag.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const first = `${[name, ...words].join(" ")}${server}${hidden ? " (hidden)" : ""}`;
  return [first, ...own.map((flag) => `  ${flagText(flag)}`), ""].join("\n");
}

function flagText(flag: Command.Flag.Cached): string {
  const names = [
    ...(flag.char ? [`-${flag.char}`] : []),
    `--${flag.type === "boolean" && flag.allowNo ? "[no-]" : ""}${flag.name}`,
  ];
  const value = flag.type === "option" ? [flag.options?.join("|") ?? flag.helpValue ?? "VALUE"] : [];
  const notes = [
    ...(flag.required ? ["required"] : []),
    ...(flag.type === "option" && flag.multiple ? ["may be repeated"] : []),
    ...(flag.env ? [flag.env] : []),
  ];
  return `${names.join(", ")} ${value}`.trimEnd() + (notes.length > 0 ? ` (${notes.join(", ")})` : "");
}
