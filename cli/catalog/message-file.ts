import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import { LineCounter, parseDocument, type YAMLParseError } from "yaml";
import { CliError } from "../cli-error.ts";
import { failureOf } from "../errors.ts";
import { fieldPath } from "../output/text.ts";
import { type Problem, readMessage } from "./read-message.ts";

/** A message from a file, and the way back from an error of the server's to the line at fault. */
export interface MessageFile<S extends DescMessage> {
  message: MessageShape<S>;
  /**
   * The error with its place in the file, when it names a field of what was sent; else as it is. `sent` is the
   * request's field that it was sent in, `at` the path of that part in the file: none for the whole.
   */
  placed(error: unknown, sent: string, at?: string): unknown;
}

const PROBLEMS_TOLD_MAX = 20;

/** The text of a file, or of stdin for `-`. */
export async function readText(name: string): Promise<string> {
  const bytes = await (name === "-" ? buffer(process.stdin) : readFile(name)).catch((cause) => {
    const missing = cause.code === "ENOENT";
    throw new CliError(
      missing ? "not_found" : "failed",
      `${name}: ${missing ? "no such file" : cause.message}`,
      {},
      cause,
    );
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CliError("failed", `${name}: is not UTF-8`, {}, cause);
  }
}

/** A message from its text: YAML, or JSON, which is YAML too. Throws one error that names every problem with its place. */
export function parseMessage<S extends DescMessage>(schema: S, text: string, name: string): MessageFile<S> {
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
  const { json, problems, offsets } = readMessage(schema, doc);
  if (problems.length > 0) refuse(problems);
  return {
    message: fromJson(schema, json),
    placed(error, sent, at = "") {
      const { code, field, message, reason, requestId } = failureOf(error);
      if (field !== sent && !field.startsWith(`${sent}.`)) return error;
      const rest = fieldPath(field.slice(sent.length + 1));
      const path = at && rest ? `${at}.${rest}` : at || rest;
      const said = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
      const told = place({ offset: nearest(offsets, path), path, message: said });
      const kind = code === "failed_precondition" ? code : "failed";
      return new CliError(kind, told, { reason, field, requestId }, error);
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
  return error.code === "MULTIPLE_DOCS" ? "the file is one document, and here a second one begins" : error.message;
}
