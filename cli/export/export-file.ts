import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { CliError } from "../cli-error.ts";
import { fileFailure } from "../make-folder.ts";
import { writeWhole } from "../write-file.ts";

// An export is written into FILE.part, and FILE.resume says how much of that is good and where it goes on. Whatever ends the
// process, what is behind that in FILE.part is cut off and asked for again: no row is missing, and none is there twice. At
// its end FILE.part becomes FILE.

const SAVED_BYTES = 1024 * 1024;

/** What an export is of. One of something else does not go on in the same file. */
export type ExportFacts = Record<string, string>;

interface Place {
  facts: ExportFacts;
  token: string;
  bytes: number;
  rows: number;
  /** All rows are there, and only the file's name is missing. */
  whole: boolean;
}

interface OpenOptions {
  resume: boolean;
  force: boolean;
}

/** A file that an export is written into. */
export class ExportFile {
  readonly file: string;
  readonly #facts: ExportFacts;
  readonly #part: FileHandle;
  #place: Place;
  #savedBytes: number;

  private constructor(file: string, part: FileHandle, place: Place) {
    this.file = file;
    this.#facts = place.facts;
    this.#part = part;
    this.#place = place;
    this.#savedBytes = place.bytes;
  }

  /**
   * Begins a file, or goes on with one that was begun: where there is none, from the beginning. One that is there already may
   * be the only copy of what it has, and is replaced by `force` alone.
   */
  static async open(file: string, facts: ExportFacts, { resume, force }: OpenOptions): Promise<ExportFile> {
    return inWords(file, async () => {
      const found = await stat(file).catch(() => undefined);
      if (found && !found.isFile()) throw new Error("is no file; without --out it goes to stdout");
      const place = resume ? await readPlace(file, facts) : undefined;
      const begun = place?.whole && !(await stat(`${file}.part`).catch(() => undefined)); // it has its name by now
      if (found && !begun && !force) throw isThere(file);
      if (!place) await rm(`${file}.resume`, { force: true });
      // Appends: should another process write here too, the size tells.
      const part = await open(begun ? file : `${file}.part`, begun ? "r+" : place ? "a" : "ax", 0o600).catch(
        async (error) => {
          if (place || error.code !== "EEXIST") throw error;
          await rm(`${file}.part`);
          return open(`${file}.part`, "ax", 0o600);
        },
      );
      if (!place) return new ExportFile(file, part, { facts, token: "", bytes: 0, rows: 0, whole: false });
      if ((await part.stat()).size < place.bytes) {
        await part.close();
        throw new Error(`${file}.part has less than ${file}.resume says; begin again without --resume`);
      }
      if (!begun) await part.truncate(place.bytes);
      return new ExportFile(file, part, place);
    });
  }

  /** Where it goes on. Empty: at the beginning. */
  get token(): string {
    return this.#place.token;
  }

  get rows(): number {
    return this.#place.rows;
  }

  /** Whether nothing is missing but the file's name. */
  get isWhole(): boolean {
    return this.#place.whole;
  }

  get isEmpty(): boolean {
    return this.#place.bytes === 0;
  }

  /** Adds rows, and the place behind them. */
  async add(text: string, rows: number, token: string): Promise<void> {
    await inWords(this.file, async () => {
      const bytes = Buffer.from(text);
      await this.#part.appendFile(bytes);
      const { facts, bytes: before, rows: rowsBefore } = this.#place;
      this.#place = { facts, token, bytes: before + bytes.length, rows: rowsBefore + rows, whole: false };
      if (this.#place.bytes - this.#savedBytes >= SAVED_BYTES) await this.#save();
    });
  }

  /** Leaves what there is, to go on with later. */
  async leave(): Promise<void> {
    await inWords(this.file, async () => {
      await this.#save();
      await this.#part.close();
    });
  }

  /** All is there: gives the file its name. */
  async finish(): Promise<void> {
    await inWords(this.file, async () => {
      this.#place = { ...this.#place, whole: true };
      await this.#save();
      await this.#part.close();
      await rename(`${this.file}.part`, this.file).catch((error) => {
        if (error.code !== "ENOENT") throw error; // it has its name
      });
      await rm(`${this.file}.resume`, { force: true });
    });
  }

  /** What the place says is on the disk before the place is. */
  async #save(): Promise<void> {
    await this.#part.datasync();
    if ((await this.#part.stat()).size !== this.#place.bytes) throw new Error("another process writes it too");
    await writeWhole(`${this.file}.resume`, JSON.stringify(this.#place), 0o600);
    this.#savedBytes = this.#place.bytes;
  }
}

async function readPlace(file: string, facts: ExportFacts): Promise<Place | undefined> {
  const text = await readFile(`${file}.resume`, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const place = JSON.parse(text) as Place;
  const other = Object.entries(facts).find(([name, value]) => place.facts[name] !== value);
  if (!other) return place;
  const [name, value] = other;
  const words = `was begun with ${name} ${place.facts[name] || "left out"}, and not ${value || "left out"}`;
  throw new CliError("usage", `${file} ${words}; begin again without --resume`);
}

function isThere(file: string): CliError {
  const hint = "Write into another one, or replace it with --force.";
  return new CliError("already_exists", `there is a file ${file} already`, { hint });
}

async function inWords<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw fileFailure(file, cause);
  }
}
