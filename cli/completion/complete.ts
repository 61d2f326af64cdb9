import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Place, placeOf } from "./place.ts";

/** What may stand in a place, and what it is. */
export interface Candidate {
  value: string;
  about: string;
}

/** What oclif's manifest says of a flag, as far as it matters here. */
export interface FlagNote {
  name: string;
  type: "boolean" | "option";
  options?: string[];
  summary?: string;
  description?: string;
  hidden?: boolean;
  allowNo?: boolean;
  multiple?: boolean;
}

/** The same of a command. */
export interface CommandNote {
  summary?: string;
  hidden?: boolean;
  args: Record<string, { name: string; options?: string[] }>;
  flags: Record<string, FlagNote>;
}

/** All commands by id (`invoices:list`), and what topics are about. */
export interface Notes {
  commands: Record<string, CommandNote>;
  topics: Record<string, { description?: string }>;
}

/** Only what a shell takes as it is. Ids of the server's cannot have other characters; nobody has to trust that. */
const PLAIN = /^[A-Za-z0-9_.:@/=+-]+$/;

/**
 * Answers a shell that asks how a line may go on, on stdout: a candidate a line, a tab, what it is. `words` are those
 * after the program's name, the last of them the one that is being written. oclif is not loaded for it: a person waits.
 */
export async function complete(words: readonly string[], root: string): Promise<void> {
  try {
    const found = await candidates(words, await readNotes(root));
    process.stdout.write(found.map(({ value, about }) => `${value}\t${about}\n`).join(""));
  } catch {
    // Nothing to offer: a shell has no place for errors.
  }
}

/** Commands and topics, as the build left them. */
export async function readNotes(root: string): Promise<Notes> {
  const read = async (name: string) => JSON.parse(await readFile(join(root, name), "utf8"));
  const [{ commands }, { oclif }] = await Promise.all([read("oclif.manifest.json"), read("package.json")]);
  return { commands, topics: oclif.topics };
}

/** How a line may go on. */
export async function candidates(words: readonly string[], notes: Notes): Promise<Candidate[]> {
  const place = placeOf(words, notes);
  const found = await inPlace(place, words, notes);
  return found.filter(({ value }) => PLAIN.test(value) && value.startsWith(place.before + place.current));
}

async function inPlace(place: Place, words: readonly string[], notes: Notes): Promise<Candidate[]> {
  if (place.kind === "command") return nextWords(place.words, notes);
  if (place.kind === "flag") return flagsOf(place.command, place.used);
  if (place.kind === "nothing") return [];
  const fixed = place.of.options?.map((value) => ({ value, about: "" }));
  const values = fixed ?? (await (await import("./ids.ts")).idsOf(place.of.name, words)); // it calls the server
  return values.map((one) => ({ ...one, value: place.before + one.value }));
}

/** The words that may follow on these: topics, and commands. */
function nextWords(words: readonly string[], { commands, topics }: Notes): Candidate[] {
  const start = words.map((word) => `${word}:`).join("");
  const found = new Map<string, string>();
  for (const [id, { summary = "", hidden }] of Object.entries(commands)) {
    if (hidden || !id.startsWith(start)) continue;
    const [word = "", ...rest] = id.slice(start.length).split(":");
    found.set(word, rest.length === 0 ? summary : (topics[start + word]?.description ?? ""));
  }
  return Array.from(found, ([value, about]) => ({ value, about })).sort((a, b) => (a.value < b.value ? -1 : 1));
}

function flagsOf({ flags }: CommandNote, used: ReadonlySet<string>): Candidate[] {
  return Object.values(flags)
    .filter(({ name, hidden, multiple }) => !hidden && (multiple || !used.has(name)))
    .flatMap(({ name, summary, description, allowNo }) => {
      const about = summary ?? description ?? "";
      return [{ value: `--${name}`, about }, ...(allowNo ? [{ value: `--no-${name}`, about: "" }] : [])];
    });
}
