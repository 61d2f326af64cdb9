import { readFile } from "node:fs/promises";
import { defaults } from "../../server/config.ts";
import { limitSettings } from "../../server/limits.ts";

const root = new URL("../../", import.meta.url).pathname;
const CONFIG = "server/config.ts";
const VARIABLE = /\b(?:USAGEFLOW_[A-Z_]*[A-Z]|DATABASE_URL)\b/g;

/** The page of all settings, from the code that reads them: each with what its own comment says. */
export async function configurationPage(): Promise<string> {
  const files = await readers();
  const settings = [...files.flatMap(settingsOf), ...limits];
  const told = new Set(settings.flatMap(({ variables }) => variables));
  const untold = files.flatMap((text) => (text.match(VARIABLE) ?? []).filter((name) => !told.has(name)));
  if (untold.length > 0) throw new Error(`no field of ${CONFIG} is read from ${untold.join(", ")}`);
  const rows = settings.map(({ field, variables, words }) => {
    const [first = ""] = variables;
    const cells = [
      variables.map((name) => `\`${name}\``).join(", "),
      words,
      unitOf(field, first),
      defaultOf(field, first),
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [HEAD, "| variable | what it is | unit | default |", "|---|---|---|---|", ...rows, "", TAIL].join("\n");
}

const HEAD = `# Settings

A server reads its settings from the environment, when it starts; one that is wrong keeps it from starting, and is named. This
page is written by \`npm run gen:docs\`, from the comments in \`server/config.ts\`.
`;

const TAIL = `Lists are separated by commas. Keys are 32 random bytes in base64: \`openssl rand -base64 32\`. The standard variables of
OpenTelemetry, \`OTEL_*\`, say where metrics and traces go: [Observability](operations/README.md).

The commands that work on the database as its owner (\`migrate\`, \`init\`, \`doctor\`, \`secrets\`) read \`USAGEFLOW_OWNER_DATABASE_URL\`.
No server has it.
`;

interface Setting {
  field: string;
  variables: string[];
  words: string;
}

/** Limits are a table in the code, each with its words. */
const limits: Setting[] = Object.entries(limitSettings).map(([field, { variable, says }]) => ({
  field,
  variables: [variable],
  words: `${says.charAt(0).toUpperCase()}${says.slice(1)}.`,
}));

/** The file of settings, and those of the same folder that read some for it. */
async function readers(): Promise<string[]> {
  const text = await readFile(root + CONFIG, "utf8");
  const others = [...text.matchAll(/import \{[^}]*\bread[A-Z]\w*[^}]*\} from "\.\/([\w/-]+\.ts)"/g)];
  const texts = await Promise.all(others.map(([, file]) => readFile(`${root}server/${file}`, "utf8")));
  return [text, ...texts.filter((one) => one.match(VARIABLE) && !one.includes("limitSettings"))];
}

/** The fields that a file reads from variables, in the order in which they are declared. */
function settingsOf(text: string): Setting[] {
  const read = new Map<string, string[]>();
  const note = (field: string, from: string) =>
    read.set(field, [...new Set([...(read.get(field) ?? []), ...(from.match(VARIABLE) ?? [])])]);
  // As the formatter writes them: a member of an object, and a name of its own that is one.
  for (const [, field = "", from = ""] of text.matchAll(/^ {4}(\w+): ((?:.*\n)(?: {6,}.*\n)*)/gm)) note(field, from);
  for (const [, field = "", from = ""] of text.matchAll(/^ {2}const (\w+) = (.*)$/gm)) note(field, from);
  const members = [...text.matchAll(/^ {2}(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2})?(?:readonly )?(\w+)\??: .*;$/gm)];
  return members.flatMap(([, comment, field = ""]) => {
    const variables = read.get(field) ?? [];
    if (variables.length === 0) return [];
    if (comment === undefined) throw new Error(`${field} has no comment that says what ${variables[0]} is`);
    const words = comment
      .replaceAll(/\s*\n\s*\* ?/g, " ")
      .replaceAll("Undefined:", "Not set:")
      .trim();
    return [{ field, variables, words }];
  });
}

function unitOf(field: string, variable: string): string {
  if (variable.endsWith("_SECONDS")) return "seconds";
  const [, unit = ""] = /(Ms|Bytes|Days|PerSecond|S)(?:Max)?$/.exec(field) ?? [];
  return { Ms: "milliseconds", Bytes: "bytes", Days: "days", PerSecond: "a second", S: "seconds" }[unit] ?? "";
}

function defaultOf(field: string, variable: string): string {
  if (!(field in defaults)) return "needed";
  const value = (defaults as unknown as Record<string, unknown>)[field];
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return "not set";
  if (typeof value === "boolean") return value ? "`on`" : "`off`";
  if (Array.isArray(value))
    return `\`${variable.endsWith("_SECONDS") ? value.slice(1).map((ms) => ms / 1_000) : value}\``;
  return `\`${value}\`${typeof value === "number" ? inWords(field, value) : ""}`;
}

/** A large number in a unit that people read. */
function inWords(field: string, value: number): string {
  const units: [number, string][] = field.includes("Bytes")
    ? [
        [1024 * 1024, "MiB"],
        [1024, "KiB"],
      ]
    : /Ms$/.test(field)
      ? [
          [86_400_000, "days"],
          [3_600_000, "h"],
          [60_000, "min"],
          [1_000, "s"],
        ]
      : [];
  const found = units.find(
    ([size, unit]) => value >= size && value % size === 0 && !(unit === "days" && value === size),
  );
  return found ? `, ${value / found[0]} ${found[1]}` : "";
}
