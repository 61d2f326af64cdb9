import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Writes the row types of a migrated database to a file, as server/db/tables.ts has them. */
export async function generateTables(url: string, file: string): Promise<void> {
  await promisify(execFile)("node_modules/.bin/kysely-codegen", [
    ...["--url", url, "--dialect", "postgres", "--out-file", file, "--numeric-parser", "string"],
    ...["--exclude-pattern", "schema_migration*", "--type-mapping", '{"int8":"bigint"}', "--type-only-imports"],
  ]);
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace("export interface DB {", "export interface Tables {"));
}
