import { realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { fileFailure } from "./make-folder.ts";

/**
 * Writes a file whole or not at all: whoever reads it meanwhile has the old one or the new one. Without a mode, the old
 * file's stays.
 */
export async function writeWhole(
  file: string,
  content: string | Uint8Array | AsyncIterable<string>,
  mode?: number,
): Promise<void> {
  try {
    const found = await stat(file).catch((error) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found && !found.isFile()) {
      if (found.isDirectory()) throw new Error("is a folder");
      return await writeFile(file, content); // a pipe or a device takes what is written, and stays
    }
    const target = found ? await realpath(file) : file;
    const beside = `${target}.${process.pid}.tmp`;
    try {
      await writeFile(beside, content, { flag: "wx", ...(found || mode ? { mode: mode ?? found?.mode } : {}) });
      await rename(beside, target);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  } catch (cause) {
    throw fileFailure(file, cause);
  }
}
