import { join, resolve } from "node:path";
import { stateFolder } from "../locator.ts";

/** The folder of a snapshot: a path as it is, a mere name among those that are kept for the user. */
export function snapshotFolder(nameOrPath: string): string {
  return /^[\w-][\w.-]*$/.test(nameOrPath) ? join(stateFolder(), "snapshots", nameOrPath) : resolve(nameOrPath);
}
