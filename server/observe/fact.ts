import { isIP } from "node:net";
import { maskKnown, maskSecrets } from "./mask.ts";

// What may be said of the server's work in a log line or a trace: these facts by these names, each in its own shape. A name
// that is not here does not compile; should one come all the same it is left out, and a value of another shape is masked. So
// nobody has to remember what must not be logged.

/** Makes of a value what may be written. */
type Shape<Value> = (value: Value) => string | number | boolean;

const MASKED = "[masked]";
const TEXT_LENGTH_MAX = 500;
const FRAMES_MAX = 20;

const like =
  (pattern: RegExp): Shape<string> =>
  (value) =>
    pattern.test(value) ? value : MASKED;
const id = like(/^([a-z]{3}_[0-9A-Za-z]{22}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/);
// Keys are words too: none of them begins so.
const word = like(/^(?!uf_|wh[a-z]+_)[A-Za-z][\w.:-]{0,39}$/);
const sqlStateOrName = like(/^[A-Z0-9_]{2,50}$/);
const method = like(/^(none|[a-z][\w.]{0,60}\/[A-Z][A-Za-z]{0,60}|[A-Z]{1,7} \/[a-z/]{0,40})$/);
const time = like(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
const hex = like(/^[0-9a-f]{16,32}$/);
const number: Shape<number> = (value) => (typeof value === "number" ? value : MASKED);
const bool: Shape<boolean> = (value) => value === true;
const address: Shape<string> = (value) => (value === "" || isIP(value) > 0 ? value : MASKED);
const text: Shape<string> = (value) => maskSecrets(String(value)).slice(0, TEXT_LENGTH_MAX);
/** Scheme, host and port: a path or a query may hold anything. */
const origin: Shape<string> = (value) => URL.parse(value)?.origin ?? MASKED;
const FRAME = /^ +at ([\w.#<>$[\] ]{1,100} \()?(file:\/\/\/|\/|node:|[A-Z]:\\)[^()]{0,300}:\d+:\d+\)?$/;
/** Places in code, and nothing else: before them stands the error's message. */
const frames: Shape<string> = (value) =>
  maskKnown(String(value))
    .split("\n")
    .filter((line) => FRAME.test(line))
    .slice(0, FRAMES_MAX)
    .join("\n");

const shapes = {
  // a call
  request_id: id,
  method,
  transport: word,
  code: word,
  reason: word,
  status: number,
  duration_ms: number,
  address,
  tenant_id: id,
  organization_id: id,
  member_id: id,
  key_id: id,
  trace_id: hex,
  events: number,
  accepted: number,
  duplicate: number,
  conflict: number,
  rejected: number,
  // a webhook
  endpoint_id: id,
  delivery_id: id,
  event_id: id,
  type: word,
  attempt: number,
  result: word,
  error_kind: word,
  resolve_ms: number,
  connect_ms: number,
  first_byte_ms: number,
  next_attempt_at: time,
  in_lane: bool,
  by_hand: bool,
  // the work behind
  loop: word,
  work: word,
  done: number,
  batches: number,
  count: number,
  failures: number,
  tried: number,
  tries: number,
  week: time,
  invoice_id: id,
  // the process
  role: word,
  url: origin,
  login: word,
  // what went wrong
  error: text,
  error_code: sqlStateOrName,
  constraint: word,
  table: word,
  column: word,
  stack: frames,
} satisfies Record<string, Shape<never>>;

type FactName = keyof typeof shapes;

/** Facts of a log line or of a span. */
export type Facts = { readonly [Name in FactName]?: Parameters<(typeof shapes)[Name]>[0] | undefined };

/** Facts as they may be written. */
export type WrittenFacts = Record<string, string | number | boolean>;

const shapeOf = new Map<string, Shape<never>>(Object.entries(shapes));

/** Facts in their shapes, and nothing that is no fact. */
export function writtenFacts(facts: Facts): WrittenFacts {
  const written: WrittenFacts = {};
  for (const name in facts) {
    const value = facts[name as FactName];
    const shape = shapeOf.get(name);
    if (shape && value !== undefined) written[name] = shape(value as never);
  }
  return written;
}
