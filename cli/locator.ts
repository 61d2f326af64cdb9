import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, sep } from "node:path";
import { promisify } from "node:util";

// Each running emulator leaves a note of where it is, so that the other commands find it with no settings.

/** Where an emulator is. */
export interface Locator {
  /** Its own: the one that it was given, else the folder that it was started in. Only one of a name runs. */
  name: string;
  /** Whether it is found by its name alone: what runs beside one command is nobody else's. */
  hidden: boolean;
  /** The folder that it was started in. */
  folder: string;
  url: string;
  apiKey: string;
  /** Of the owner of its organization. */
  accessToken: string;
  webhookSecret: string;
  /** Where it takes orders, and what proves that one may give them. */
  controlUrl: string;
  controlToken: string;
  /** Where its webhooks go. Empty: nowhere but to endpoints that were made. */
  forwardTo: string;
  /** Where its data is kept. Empty: it is thrown away. */
  data: string;
  /** Process of the emulator, and when that began: the number alone may be another process's by now. */
  pid: number;
  begun: string;
  /** When it was ready, as RFC 3339. */
  startedAt: string;
}

/** The emulators that run, hidden ones left out: those of this folder, and of the nearest above it, come first, then the last started. */
export async function readLocators(folder = process.cwd()): Promise<Locator[]> {
  const near = (one: Locator) => (isWithin(folder, one.folder) ? one.folder.length : 0);
  const shown = (await running()).filter((one) => !one.hidden);
  return shown.toSorted((a, b) => near(b) - near(a) || b.startedAt.localeCompare(a.startedAt));
}

/** The running emulator of a name. */
export async function readLocatorOf(name: string): Promise<Locator | undefined> {
  return (await running()).find((one) => one.name === name);
}

/** Leaves the note. It holds a key, so nobody else may read it. Notes of emulators that were killed go. */
export async function writeLocator(locator: Omit<Locator, "pid" | "begun">): Promise<void> {
  await mkdir(notesFolder(), { recursive: true, mode: 0o700 });
  for (const file of await noteFiles()) {
    const note = await readNote(file);
    if (note && !(await isAlive(note))) await rm(file, { force: true });
  }
  const file = noteFile(locator.name);
  const note: Locator = { ...locator, pid: process.pid, begun: await begunAt(process.pid) };
  const beside = `${file}.${process.pid}.new`;
  await writeFile(beside, `${JSON.stringify(note)}\n`, { mode: 0o600 });
  await rename(beside, file);
}

/** Takes the note away, if it is this process's own. */
export async function removeLocator(name: string): Promise<void> {
  const note = await readNote(noteFile(name));
  if (note?.pid === process.pid) await rm(noteFile(name), { force: true });
}

/** Whether the emulator of a note still runs. */
export async function isAlive({ pid, begun }: Pick<Locator, "pid" | "begun">): Promise<boolean> {
  return (await isRunning(pid)) && (await begunAt(pid)) === begun;
}

/** Whether a process runs. One that is dead and not yet buried by its parent (a zombie) does not. */
export async function isRunning(pid: number): Promise<boolean> {
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    return status !== "" && !/\) [ZX] /.test(status);
  }
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // there, and another user's
  }
}

/** Where notes, snapshots and the like are kept for this user. */
export function stateFolder(): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return process.env.USAGEFLOW_STATE_DIR || join(state, "usageflow");
}

/** When a process began, in whatever words the system has for it. Empty where it has none. */
async function begunAt(pid: number): Promise<string> {
  if (process.platform === "win32") return "";
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    return status.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? ""; // in ticks since the machine began
  }
  const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => ({
    stdout: "",
  }));
  return stdout.trim();
}

async function running(): Promise<Locator[]> {
  const notes = await Promise.all((await noteFiles()).map(readNote));
  return (await Promise.all(notes.map(async (note) => (note && (await isAlive(note)) ? note : [])))).flat();
}

async function readNote(file: string): Promise<Locator | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined; // gone, or none of ours: as good as none
  }
}

async function noteFiles(): Promise<string[]> {
  const names = await readdir(notesFolder()).catch(() => []);
  return names.filter((name) => name.endsWith(".json")).map((name) => join(notesFolder(), name));
}

function noteFile(name: string): string {
  return join(notesFolder(), `${createHash("sha256").update(name).digest("hex").slice(0, 16)}.json`);
}

function notesFolder(): string {
  return join(stateFolder(), "emulators");
}

function isWithin(folder: string, above: string): boolean {
  return folder === above || folder.startsWith(above.endsWith(sep) ? above : above + sep);
}
