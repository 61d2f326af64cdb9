import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

// Each running emulator leaves a note of where it is, so that the other commands find it with no settings.

/** Where an emulator is. */
export interface Locator {
  url: string;
  apiKey: string;
  /** Process of the emulator. */
  pid: number;
  /** When it was ready, as RFC 3339. */
  startedAt: string;
}

/** The emulators that run, the one that was started last first. */
export async function readLocators(): Promise<Locator[]> {
  const notes = await Promise.all((await noteFiles()).map(readNote));
  const running = await Promise.all(notes.map(async (note) => (note && (await isRunning(note.pid)) ? note : [])));
  return running.flat().toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
}

/** Leaves the note. It holds a key, so nobody else may read it. Notes of emulators that were killed go. */
export async function writeLocator(locator: Locator): Promise<void> {
  await mkdir(notesFolder(), { recursive: true, mode: 0o700 });
  for (const file of await noteFiles()) {
    const note = await readNote(file);
    if (note && !(await isRunning(note.pid))) await rm(file, { force: true });
  }
  const file = noteFile(locator.pid);
  await rm(file, { force: true }); // the mode below is for a new file
  await writeFile(file, `${JSON.stringify(locator)}\n`, { mode: 0o600 });
}

/** Takes the note away. */
export async function removeLocator(pid: number): Promise<void> {
  await rm(noteFile(pid), { force: true });
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

async function readNote(file: string): Promise<Locator | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined; // gone, or cut off while it was written: as good as none
  }
}

async function noteFiles(): Promise<string[]> {
  const names = await readdir(notesFolder()).catch(() => []);
  return names.map((name) => join(notesFolder(), name));
}

function noteFile(pid: number): string {
  return join(notesFolder(), `${pid}.json`);
}

function notesFolder(): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(process.env.USAGEFLOW_STATE_DIR || join(state, "usageflow"), "emulators");
}
