import type { ClientHttp2Session } from "node:http2";
import { type DescMethod, fromJson, toBinary } from "@bufbuild/protobuf";
import { formatId, type IdPrefix, newId } from "../../server/id.ts";
import { examples } from "./examples.ts";
import type { Lived, LivedTogether } from "./lived-month.ts";
import { grpc, type WireAnswer } from "./wire.ts";

// What a caller is told of things that are its own, another's, or nobody's.

/** Whose things a request is about. */
export type Subject = Lived & LivedTogether;

/** Methods that take names which nobody has yet: with those of another's they do what they do with new ones. */
const TAKES_NEW_NAMES = new Set(["TrackUsage", "VoidUsage", "CreateCreditGrant", "Listen", "TailDeliveries"]);

/** Things as those of a tenant that lived, which nobody has. */
export function nobodys(lived: Subject): Subject {
  const entries = Object.entries(lived).map(([name, value]: [string, string]) => {
    const prefix = /^([a-z]{3})_[0-9A-Za-z]{22}$/.exec(value)?.[1];
    return [name, prefix ? formatId(prefix as IdPrefix, newId()) : value.replaceAll(lived.name, "nobody")];
  });
  return Object.fromEntries(entries);
}

/** Calls a method with its example about somebody's things, over a connection of HTTP/2. */
export function ask(
  session: ClientHttp2Session,
  method: DescMethod,
  { headers, of }: { headers: Record<string, string>; of: Subject },
): Promise<WireAnswer> {
  const { input, methodKind, name, parent } = method;
  const body = toBinary(input, fromJson(input, examples[name]?.(of) ?? {}));
  const path = `/${parent.typeName}/${name}`;
  const more: Record<string, string> = methodKind === "unary" ? {} : { "grpc-timeout": "20m" }; // or it would go on
  return grpc({ url: "", session, path, body, headers: { ...headers, ...more } });
}

/** Whether a method's example is about things of its tenant. */
export function isAbout(method: DescMethod, lived: Subject): boolean {
  const request = examples[method.name];
  return JSON.stringify(request?.(lived)) !== JSON.stringify(request?.(nobodys(lived)));
}

/**
 * What is wrong with how a method that lets a caller in answers it about another's things; `none` is the answer about
 * nobody's. Undefined: nothing. It is as if they were not there, and where nothing of them is asked for, nothing is told.
 */
export function strangerFault(
  method: DescMethod,
  { theirs, none, about, nobody }: { theirs: WireAnswer; none: WireAnswer; about: Subject; nobody: Subject },
): string | undefined {
  if (!isAbout(method, about)) return tells(theirs, about) ? "tells another's" : undefined;
  const expected = TAKES_NEW_NAMES.has(method.name) ? none.code : "not_found";
  if (theirs.code !== expected) return `${theirs.code} ${theirs.message}, not ${expected}`;
  const told = (answer: WireAnswer, of: Subject) =>
    JSON.stringify([answer.code, answer.reason, answer.field, worded(answer, of)]);
  if (told(theirs, about) !== told(none, nobody)) return `${told(theirs, about)} is not ${told(none, nobody)}`;
  return undefined;
}

/** A message with nobody's names in it. */
function worded({ message }: WireAnswer, of: Subject): string {
  const names = Object.values(of).sort((one, other) => other.length - one.length);
  return names.reduce((text, name) => text.replaceAll(name, "X"), message);
}

/** Whether an answer has a name that another gave. */
export function tells({ body, message }: WireAnswer, { name }: Subject): boolean {
  return Buffer.from(body).includes(`_${name}`) || message.includes(`_${name}`);
}
