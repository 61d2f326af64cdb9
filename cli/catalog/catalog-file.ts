import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { parseMessage, readText } from "./message-file.ts";

/** A catalog from a file, and the way back from an error of the server's to the line at fault. */
export interface CatalogFile {
  catalog: Catalog;
  /** The error with its place in the file, when it names a field of the catalog; else as it is. */
  placed(error: unknown): unknown;
}

/** Reads a catalog file, or stdin for `-`. */
export async function readCatalogFile(name: string): Promise<CatalogFile> {
  return parseCatalog(await readText(name), name);
}

/** A catalog from its text. Throws one error that names every problem with its place. */
export function parseCatalog(text: string, name: string): CatalogFile {
  const { message, placed } = parseMessage(CatalogSchema, text, name);
  return { catalog: message, placed: (error) => placed(error, "catalog") };
}
