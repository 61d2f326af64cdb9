import { chmod, mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "../locator.ts";

// Folders that go when the process ends that made them. One that was killed leaves them; the next emulator finds them.

/** In a folder of an emulator: the process that has it. */
export const OWNER_FILE = "emulator.pid";

const PREFIX = "usageflow-";

/** Makes a folder among the system's temporary ones. */
export async function makeThrowaway(name = ""): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), PREFIX + name));
  await chmod(folder, 0o711); // PostgreSQL may run under another account, and must get through to what is its own
  await writeFile(join(folder, OWNER_FILE), String(process.pid));
  return folder;
}

/** Our folders whose process no longer runs. */
export async function abandonedThrowaways(): Promise<string[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  const folders = names.map((name) => join(tmpdir(), name));
  const abandoned = await Promise.all(folders.map(isAbandoned));
  return folders.filter((_, at) => abandoned[at]);
}

async function isAbandoned(folder: string): Promise<boolean> {
  try {
    const file = join(folder, OWNER_FILE);
    const pid = Number(await readFile(file, "utf8"));
    const isOurs = process.platform === "win32" || (await stat(file)).uid === process.getuid?.();
    return pid > 0 && isOurs && !(await isRunning(pid));
  } catch {
    return false; // none of ours, being made, or being thrown away
  }
}
