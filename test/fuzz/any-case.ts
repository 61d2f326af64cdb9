import { gzipSync } from "node:zlib";
import { type DescMessage, type DescMethod, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { anyRequest, type Making, type Vocabulary, withOneChanged } from "./any-request.ts";
import { createDice, type Dice } from "./dice.ts";
import { gzipBomb, hostileBytes, hostileFrame } from "./hostile-bytes.ts";
import { hostileJson } from "./hostile-json.ts";
import type { Way } from "./sender.ts";

/** A call that is made to see what becomes of it. */
export interface FuzzCase {
  /** What was done to it: `tame`, `wild`, `json`, `bytes`, `frame`, `compressed`, `headers`. */
  kind: string;
  way: Way;
  path: string;
  body: Uint8Array | string;
  headers: Record<string, string>;
}

/** What is called. `track`: `POST /api/track`. */
export type Target = DescMethod | "track";

/** The name of what is called. */
export const nameOf = (target: Target) => (target === "track" ? "POST /api/track" : target.name);

/** Types that an answer of the same way follows, though the body is of another. */
const OTHER_TYPES: Partial<Record<Way, string>> = {
  grpc: "application/grpc+json",
  grpcGzip: "application/grpc+json",
  grpcUnframed: "application/grpc+json",
  grpcWeb: "application/grpc-web+json",
  connectStream: "application/connect+proto",
};

const QUERY_MAX = 8_000;
// Out of a hundred.
const KINDS: readonly (readonly [number, string])[] = [
  [20, "tame"],
  [26, "wild"],
  [20, "json"],
  [20, "bytes"],
  [6, "frame"],
  [3, "compressed"],
  [5, "headers"],
];

const HEADERS: readonly Record<string, string>[] = [
  ...["a b", "k".repeat(256), "k".repeat(255), "\u00e9", '";'].map((key) => ({ "idempotency-key": key })),
  ...["99999999H", "100000000m", "0n", "soon", "-1S", ""].map((timeout) => ({ "grpc-timeout": timeout })),
  ...["-1", "99999999999", "3600001", "1.5", "soon", "0"].map((timeout) => ({ "connect-timeout-ms": timeout })),
  ...[
    "text/plain",
    "application/json; charset=utf-16",
    "application/grpc+json",
    "application/xml",
    "/",
    "application/proto",
  ].map((type) => ({ "content-type": type })),
  ...["br", "zstd", "identity", "gzip, gzip", "x"].map((encoding) => ({ "content-encoding": encoding })),
  ...["br", "zstd", "identity", "x"].map((encoding) => ({
    "grpc-encoding": encoding,
    "connect-content-encoding": encoding,
  })),
  ...["zstd", "x", "gzip;q=0"].map((encoding) => ({ "accept-encoding": encoding, "grpc-accept-encoding": encoding })),
  ...["9", "", "x"].map((version) => ({ "connect-protocol-version": version })),
  ...["uf_test_", "x", "uf_live_".padEnd(79, "0")].map((key) => ({ "x-usageflow-api-key": key })),
  ...["ten_zzzzzzzzzzzzzzzzzzzzzz", "live", "x", "../"].map((tenant) => ({ "x-usageflow-tenant": tenant })),
  { "x-forwarded-for": "1.2.3.4, ::1, unknown, \\" },
  { authorization: "Bearer" },
  { "x-long": "x".repeat(15_000) },
];

/** Case `number` of a target: the same for the same seed. `example`: a good request, where one is known. */
export function anyCase(
  target: Target,
  {
    seed,
    number,
    words,
    example,
  }: { seed: number; number: number; words: Vocabulary; example: JsonObject | undefined },
): FuzzCase {
  const dice = createDice(seed, nameOf(target), number);
  const kind = kindOf(dice);
  const desc = target === "track" ? UsageEventSchema : target.input;
  const making: Making = { dice, words, wild: kind === "wild" ? dice.pick([5, 20, 60]) : 0 };
  let json = example && dice.percent(60) ? example : anyRequest(making, desc);
  if (kind === "wild" || dice.percent(30))
    json = withOneChanged({ ...making, wild: kind === "wild" ? 70 : 0 }, desc, json);
  const headers: Record<string, string> = dice.percent(5) ? { "idempotency-key": `fuzz-${dice.below(3)}` } : {};
  const made = target === "track" ? trackCase(dice, kind, json) : rpcCase(dice, kind, target, json);
  const more = kind === "headers" ? dice.pick(HEADERS) : {};
  // With another protocol's type, the answer would not be one of this way.
  const own = OTHER_TYPES[made.way];
  const type: Record<string, string> = "content-type" in more && own ? { "content-type": own } : {};
  return { kind, ...made, headers: { ...headers, ...made.headers, ...more, ...type } };
}

function kindOf(dice: Dice): string {
  let left = dice.below(100);
  for (const [chance, kind] of KINDS) {
    if (left < chance) return kind;
    left -= chance;
  }
  return "wild";
}

type Made = Omit<FuzzCase, "kind">;

function rpcCase(dice: Dice, kind: string, method: DescMethod, json: JsonObject): Made {
  const path = `/${method.parent.typeName}/${method.name}`;
  const streams = method.methodKind !== "unary";
  const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const timeout: Record<string, string> = streams ? { "grpc-timeout": "20m", "connect-timeout-ms": "20" } : {};
  const made = (way: Way, body: Uint8Array | string, headers = {}) => ({
    path,
    way,
    body,
    headers: { ...timeout, ...headers },
  });
  const textWays: Way[] = streams
    ? ["connectStream"]
    : isRead
      ? ["connectJson", "connectJson", "connectGet"]
      : ["connectJson"];
  const textMade = (text: string | Uint8Array) => {
    const way = dice.pick(textWays);
    // A line of HTTP that is longer is refused before anybody looks at it.
    return made(way === "connectGet" && text.length > QUERY_MAX ? "connectJson" : way, text);
  };
  const bytes = bytesOf(method.input, json);
  const binaryWays: Way[] = streams ? ["grpc", "grpcWeb"] : ["connectProto", "grpc", "grpcWeb", "grpcGzip"];
  if (kind === "json") return textMade(hostileJson(dice, json));
  if (kind === "bytes") return made(dice.pick(binaryWays), hostileBytes(dice, bytes ?? new Uint8Array()));
  if (kind === "frame") {
    const { body, headers } = hostileFrame(dice, bytes ?? new Uint8Array());
    return made("grpcUnframed", body, headers);
  }
  if (kind === "compressed" && !streams) {
    const packed = dice.pick([
      gzipBomb,
      gzipSync(JSON.stringify(json)),
      Buffer.from(JSON.stringify(json)),
      gzipSync("").subarray(5),
    ]);
    return made("connectJson", packed, { "content-encoding": "gzip" });
  }
  return bytes && dice.percent(60) ? made(dice.pick(binaryWays), bytes) : textMade(JSON.stringify(json));
}

/** The request as bytes; undefined when it is JSON that says no message. */
function bytesOf(desc: DescMessage, json: JsonObject): Uint8Array | undefined {
  try {
    return toBinary(desc, fromJson(desc, json));
  } catch {
    return undefined;
  }
}

function trackCase(dice: Dice, kind: string, json: JsonObject): Made {
  const path = dice.percent(10) ? "/api/track?backfill=true" : "/api/track";
  const made = (body: Uint8Array | string, headers = {}): Made => ({ path, way: "track", body, headers });
  const text = JSON.stringify(json);
  if (kind === "json") return made(hostileJson(dice, json));
  if (kind === "bytes") return made(hostileBytes(dice, Buffer.from(text)));
  if (kind === "compressed") return made(gzipBomb, { "content-encoding": dice.pick(["gzip", "identity"]) });
  if (kind === "frame") return made(`[${Array(dice.pick([0, 1, 999, 1000, 1001])).fill(text)}]`);
  return made(dice.percent(30) ? `[${text},${text}]` : text);
}
