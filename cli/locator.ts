import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

// A running emulator leaves a note of where it is, so that the other commands find it with no settings.

/** Where an emulator is. */
export interface Locator {
  url: string;
  apiKey: string;
  /** Process of the emulator. */
  pid: number;
}

/** The emulator that was started last, or undefined when it no longer runs. */
export async function readLocator(): Promise<Locator | undefined> {
  const text = await readFile(locatorFile(), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const locator: Locator = JSON.parse(text);
    return (await isRunning(locator.pid)) ? locator : undefined;
  } catch {
    return undefined; // cut off while it was written: as good as none
  }
}

/** Leaves the note. It holds a key, so nobody else may read it. */
export async function writeLocator(locator: Locator): Promise<void> {
  const file = locatorFile();
  await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
  await rm(file, { force: true }); // the mode below is for a new file
  await writeFile(file, `${JSON.stringify(locator)}\n`, { mode: 0o600 });
}

/** Takes the note away, unless another emulator has left its own since. */
export async function removeLocator(pid: number): Promise<void> {
  const locator = await readLocator();
  if (locator?.pid === pid) await rm(locatorFile(), { force: true });
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

function locatorFile(): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(process.env.USAGEFLOW_STATE_DIR || join(state, "usageflow"), "emulator.json");
}
