import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "./cli-error.ts";

/**
 * Makes a folder that a user named, and those above it. Step by step: Node's own `recursive` never ends below a folder
 * that takes no others, as `/proc`, and keeps the processor busy meanwhile.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  const missing: string[] = [];
  for (let at = folder; !(await isThere(at)); at = dirname(at)) missing.unshift(at);
  for (const each of missing) {
    await mkdir(each, { mode }).catch((error) => {
      if (error.code !== "EEXIST") throw placeFailure(each, error); // somebody else made it
    });
  }
}

/** What is wrong with a place that a user named, from an error of the file system's. `noEntry`: what ENOENT means there. */
export function placeFailure(path: string, error: Error & { code?: string }, noEntry = WORDS.ENOENT): CliError {
  const words = (error.code === "ENOENT" ? noEntry : WORDS[error.code ?? ""]) ?? error.message;
  return new CliError("failed", `${path}: ${words}`, { hint: "Name another place." }, error);
}

const REFUSED = "this user may not write there";
const WORDS: Record<string, string> = {
  EACCES: REFUSED,
  EPERM: REFUSED,
  EROFS: "nothing can be written there",
  ENOENT: "no folder can be made there",
  ENOTDIR: "is no folder, or lies below a file",
  ENOSPC: "the disk is full",
  ENAMETOOLONG: "the name is too long",
};

/** The same of a file that is to be written. What is told already stays as it is. */
export function fileFailure(file: string, error: unknown): CliError {
  return error instanceof CliError ? error : placeFailure(file, error as Error, "its folder is not there");
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => {
      if (error.code === "ENOENT" && dirname(path) !== path) return false;
      throw placeFailure(path, error);
    },
  );
}
