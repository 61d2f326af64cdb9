import { access, constants, mkdtemp, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Where Linux has memory as a folder. A container may have little of it.
const MEMORY = "/dev/shm";
const BYTES_MIN = 2 ** 31;

/**
 * Makes a folder for what a test leaves on a disk: in memory where there is enough, because each test clones a database, and
 * the files of a thousand clones cost more than all that is done with them (measured: a half to two thirds of the time).
 */
export async function makeScratch(prefix: string): Promise<string> {
  return mkdtemp(join((await hasMemory()) ? MEMORY : tmpdir(), prefix));
}

async function hasMemory(): Promise<boolean> {
  try {
    await access(MEMORY, constants.W_OK);
    const { bavail, bsize } = await statfs(MEMORY);
    return bavail * bsize >= BYTES_MIN;
  } catch {
    return false;
  }
}
