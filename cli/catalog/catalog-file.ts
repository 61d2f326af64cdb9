import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { fromJson } from "@bufbuild/protobuf";
import { LineCounter, parseDocument, type YAMLParseError } from "yaml";
import { type Catalog, CatalogSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { CliError } from "../cli-error.ts";
import { failureOf } from "../errors.ts";
import { fieldPath } from "../output/text.ts";
import { type Problem, readMessage } from "./read-message.ts";

/** A catalog from a file, and the way back from an error of the server's to the line at fault. */
export interface CatalogFile {
  catalog: Catalog;
  /** The error with its place in the file, when it names a field of the catalog; else as it is. */
  placed(error: unknown): unknown;
}

const PROBLEMS_TOLD_MAX = 20;

/** Reads a catalog file, or stdin for `-`. */
export async function readCatalogFile(name: string): Promise<CatalogFile> {
  const bytes = await (name === "-" ? buffer(process.stdin) : readFile(name)).catch((cause) => {
    const missing = cause.code === "ENOENT";
    throw new CliError(
      missing ? "not_found" : "failed",
      `${name}: ${missing ? "no such file" : cause.message}`,
      {},
      cause,
    );
  });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CliError("failed", `${name}: is not UTF-8`, {}, cause);
  }
  return parseCatalog(text, name);
}

/** A catalog from its text: YAML, or JSON, which is YAML too. Throws one error that names every problem with its place. */
export function parseCatalog(text: string, name: string): CatalogFile {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (problem: Problem) => {
    const { line, col } = lines.linePos(problem.offset);
    return `${name}:${line}:${col}: ${problem.path && `${problem.path}: `}${problem.message}`;
  };
  const refuse = (problems: Problem[]): never => {
    const told = problems.slice(0, PROBLEMS_TOLD_MAX).map(place);
    if (problems.length > told.length) told.push(`and ${problems.length - told.length} more`);
    throw new CliError("failed", told.join("\n"), { reason: "INVALID_CATALOG", field: problems[0]?.path ?? "" });
  };
  if (doc.errors.length > 0) {
    refuse(doc.errors.map((error) => ({ offset: error.pos[0], path: "", message: yamlMessage(error) })));
  }
  const { json, problems, offsets } = readMessage(CatalogSchema, doc);
  if (problems.length > 0) refuse(problems);
  return {
    catalog: fromJson(CatalogSchema, json),
    placed(error) {
      const { field, message, reason, requestId } = failureOf(error);
      if (!field.startsWith("catalog")) return error;
      const path = fieldPath(field.replace(/^catalog\.?/, ""));
      const said = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
      const at = place({ offset: nearest(offsets, path), path, message: said });
      return new CliError("failed", at, { reason, field, requestId }, error);
    },
  };
}

/** Where a path stands or, when it is left out, what it would stand in. */
function nearest(offsets: Map<string, number>, path: string): number {
  for (let at = path; at !== ""; at = at.replace(/(\.|^)[^.[]+$|\[\d+\]$/, "")) {
    const offset = offsets.get(at);
    if (offset !== undefined) return offset;
  }
  return 0;
}

function yamlMessage(error: YAMLParseError): string {
  return error.code === "MULTIPLE_DOCS" ? "a catalog is one document, and here a second one begins" : error.message;
}
