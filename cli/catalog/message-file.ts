import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { create, type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { LineCounter, parseDocument, type YAMLParseError } from "yaml";
import { CatalogSchema, MetricSchema, PriceSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import { failureOfCall } from "../call-failure.ts";
import { CliError } from "../cli-error.ts";
import { type Failure, NONE } from "../failure.ts";
import { ruleWords } from "../output/rule-words.ts";
import { fieldPath, printable } from "../output/text.ts";
import { type Problem, readMessage } from "./read-message.ts";

/** A message from a file, and the way back from an error of the server's to the line at fault. */
export interface MessageFile<S extends DescMessage> {
  message: MessageShape<S>;
  /** Whether the field of its own that a path begins with stands in the file. */
  says(path: string): boolean;
  /**
   * The error with its place in the file, when it names a field of what was sent; else as it is. `sent` is the
   * request's field that it was sent in (empty: it was the request), `at` the path of that part in the file: none for the whole.
   */
  placed(error: unknown, sent: string, at?: string): unknown;
}

/** Reasons that the server gives for the same, where they are not INVALID_FIELD. */
const INVALID: Record<string, string> = {
  [CatalogSchema.typeName]: "INVALID_CATALOG",
  [PriceSchema.typeName]: "INVALID_CATALOG",
  [MetricSchema.typeName]: "INVALID_CATALOG",
};

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

/**
 * A message from the file that a flag names; without one, an empty message. What the file does not say came from other
 * flags: an error about it is told as it is.
 */
export async function readMessageFile<S extends DescMessage>(
  schema: S,
  name: string | undefined,
): Promise<Pick<MessageFile<S>, "message" | "placed">> {
  if (name === undefined) return { message: create(schema), placed: (error) => error };
  const { message, says, placed } = parseMessage(schema, await readText(name), name);
  return {
    message,
    placed(error, sent) {
      if (!(error instanceof ConnectError)) return error;
      return says(pathIn(sent, failureOfCall(error).field) ?? "") ? placed(error, sent) : error;
    },
  };
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
    throw new CliError("failed", told.join("\n"), {
      reason: INVALID[schema.typeName] ?? "INVALID_FIELD",
      field: problems[0]?.path ?? "",
    });
  };
  if (doc.errors.length > 0) {
    refuse(doc.errors.map((error) => ({ offset: error.pos[0], path: "", message: yamlMessage(error) })));
  }
  const { json, problems, offsets } = readMessage(schema, doc);
  if (problems.length > 0) refuse(problems);
  return {
    message: fromJson(schema, json),
    says: (path) => offsets.has(path.replace(/[.[].*$/s, "")),
    placed(error, sent, at = "") {
      const told = toldBy(error);
      if (!told) return error;
      const { code, field, reason, requestId, message } = told;
      const rest = pathIn(sent, field);
      if (rest === undefined) return error;
      const path = at && rest ? `${at}.${rest}` : at || rest;
      const said = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
      const placed = place({ offset: nearest(offsets, path), path, message: said });
      const kind = code === "failed_precondition" ? code : "failed";
      return new CliError(kind, placed, { reason, field, requestId }, error);
    },
  };
}

/** What the server or this command says of an error; undefined where neither does. */
function toldBy(error: unknown): Failure | undefined {
  if (error instanceof CliError) return { ...NONE, ...error.facts, code: error.code, message: error.message };
  if (!(error instanceof ConnectError)) return undefined;
  return { ...failureOfCall(error), message: ruleWords(printable(error.rawMessage)) }; // as said: no flag is meant here
}

/** The path in what was sent of a path in the request; undefined where that is of something else. */
function pathIn(sent: string, field: string): string | undefined {
  if (sent === "") return field === "" ? undefined : fieldPath(field);
  if (field !== sent && !field.startsWith(`${sent}.`)) return undefined;
  return fieldPath(field.slice(sent.length + 1));
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
