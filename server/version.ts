import { readFileSync } from "node:fs";

/** The version of this server, as its package says. Beside the sources, and above `dist/` where it is compiled. */
export const VERSION: string = readVersion(["../package.json", "../../package.json"]);

function readVersion([first, ...others]: readonly string[]): string {
  if (first === undefined) return "unknown";
  try {
    const { name, version } = JSON.parse(readFileSync(new URL(first, import.meta.url), "utf8"));
    return name === "usageflow" ? version : readVersion(others);
  } catch {
    return readVersion(others);
  }
}
