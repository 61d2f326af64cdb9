import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { CliError } from "../cli-error.ts";

/** The bytes of a file, or of stdin for `-`. */
export async function openInput(name: string): Promise<Readable> {
  if (name === "-") return process.stdin;
  const file = await open(name).catch((cause) => {
    if (cause.code === "ENOENT") throw new CliError("not_found", `${name}: no such file`, {}, cause);
    throw new CliError("failed", `${name}: ${cause.message}`, {}, cause);
  });
  if ((await file.stat()).isDirectory()) throw new CliError("failed", `${name}: is a folder`);
  return file.createReadStream();
}
