import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

// Taste that does not depend on memory. Each rule prints the places that break it.

const FILE_LINES_MAX = 300;
const GENERATED = ["server/db/tables.ts"];

/** Files that may start the server or touch its database: its own front doors in the CLI, and what those on the database share. */
const STARTERS =
  /^cli\/(emulator\/|demo\/|database-command\.ts|commands\/(serve|migrate|init|doctor|status|organization\/recover|secrets\/(rotate|show))\.ts)/;

/** Words that hide an idea, and what to do instead. */
const BANNED: readonly { word: RegExp; instead: string; except?: RegExp }[] = [
  { word: /\bprocess\.env\b/, instead: "read it in config.ts", except: /^(cli|test|proto)\/|^server\/config\.ts/ },
  { word: /\bnew Date\(\)|\bDate\.now\(\)/, instead: "app.clock", except: /^(cli|test)\/|^server\/(clock|id)\.ts/ },
  { word: /(?<!\.)\bset(Timeout|Interval)\(/, instead: "app.clock.sleep", except: /^(cli|test)\/|^server\/clock\.ts/ },
  { word: /\bconsole\./, instead: "app.log", except: /^(cli|test)\// },
  { word: /\bT[O]DO\b|\bF[I]XME\b/, instead: "do it, or write an issue" },
  { word: /\.(s[k]ip|o[n]ly|t[o]do)\(/, instead: "a test that runs" },
  { word: /\bas a[n]y\b|: a[n]y\b/, instead: "a type" },
  { word: /@ts-i[g]nore|@ts-e[x]pect-error/, instead: "a type" },
];

interface Source {
  path: string;
  text: string;
  /** Paths of our own files that it imports, with whether the import is of types alone. */
  imports: { path: string; typeOnly: boolean }[];
}

async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  for (const folder of ["server", "cli", "test", "proto"]) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|tsx|js)$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const text = await readFile(path, "utf8");
      const matches = text.matchAll(/(?:import|export)\s+(type\s)?[^;"']*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/g);
      const imports = [...matches].map(([, type, from, dynamic]) => ({
        path: normalize(join(dirname(path), (from ?? dynamic) as string)),
        typeOnly: type !== undefined,
      }));
      found.push({ path, text, imports });
    }
  }
  return found;
}

const all = await sources();
const code = all.filter(({ path }) => !GENERATED.includes(path));

test("files are short enough to be one idea", () => {
  const long = code.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  expect(long.filter(({ lines }) => lines > FILE_LINES_MAX)).toEqual([]);
});

test("no file hides what it is about", () => {
  const commands = /^cli\/commands\//; // a file is named as its command is
  const hidden = /(^|\/)(index|utils?|helpers?|common|misc|types)(\.ts|\/)/;
  expect(all.map(({ path }) => path).filter((path) => hidden.test(path) && !commands.test(path))).toEqual([]);
});

test("no word is used that has a better one", () => {
  const found = code.flatMap(({ path, text }) =>
    BANNED.filter(({ except }) => !except?.test(path)).flatMap(({ word, instead }) =>
      text
        .split("\n")
        .map((line, place) => (word.test(line) ? `${path}:${place + 1}: ${line.trim()} (instead: ${instead})` : ""))
        .filter((line) => line !== ""),
    ),
  );
  expect(found).toEqual([]);
});

test("the workplace is not named", () => {
  const named = all.filter(({ text }) => /\/wo[r]k\/|\.libr[a]ry/.test(text)).map(({ path }) => path);
  expect(named).toEqual([]);
});

test("no file of the server is deeper than one folder", () => {
  const deep = code.map(({ path }) => path).filter((path) => /^server\/[^/]+\/[^/]+\//.test(path));
  expect(deep).toEqual([]);
});

const VERB =
  /\/(create|update|delete|put|set|revoke|advance|push|start|change|end|pause|rotate|resume|subscribe|close|bill|finalize|dispatch|deliver|retry|fold|track|purge|mark|move|void|undo|expire|preview|simulate|explain|verify|ask|rerate|save|invite|accept|rename|recover|erase|export)(-[a-z-]+)?\.ts$/;
// A noun, though it begins like a verb.
const NOUNS = new Set(["server/usage/track-http.ts", "server/usage/track-grpc.ts"]);
/** Domains and the domains whose nouns they may know. The outbox and the webhooks stand apart from business. */
const KNOWS: Record<string, string[]> = {
  tenant: [],
  usage: ["tenant"],
  pricing: ["tenant", "usage"],
  invoice: ["tenant", "usage", "pricing"],
  webhook: ["tenant", "outbox"],
  outbox: [],
};
const domainOf = (path: string) => /^server\/([a-z]+)\//.exec(path)?.[1] ?? "";

test("domains know nouns of the domains before them, and nobody's verbs", () => {
  const wrong = code.flatMap(({ path, imports }) => {
    const domain = domainOf(path);
    if (!(domain in KNOWS)) return [];
    return imports
      .filter((one) => !one.typeOnly)
      .map((one) => one.path)
      .filter((imported) => {
        const other = domainOf(imported);
        if (!(other in KNOWS) || other === domain) return false;
        if (imported === "server/outbox/append-event.ts") return false; // the one door that is open to every verb
        const isVerb = VERB.test(imported) && !NOUNS.has(imported);
        return isVerb || !KNOWS[domain]?.includes(other);
      })
      .map((imported) => `${path} imports ${imported}`);
  });
  expect(wrong).toEqual([]);
});

test("the CLI knows the contract; only its front doors start the server", () => {
  const wrong = code
    .filter(({ path }) => path.startsWith("cli/") && !STARTERS.test(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter((one) => one.path.startsWith("server/") && !one.typeOnly)
        .map((one) => `${path} imports ${one.path}`),
    );
  expect(wrong).toEqual([]);
});

test("the server and the contract know nothing of the CLI and the tests", () => {
  const wrong = code
    .filter(({ path }) => path.startsWith("server/"))
    .flatMap(({ path, imports }) =>
      imports.filter((one) => /^(cli|test)\//.test(one.path)).map((one) => `${path} imports ${one.path}`),
    );
  expect(wrong).toEqual([]);
});

test("nobody imports in circles", () => {
  const graph = new Map(
    all.map(({ path, imports }) => [path, imports.filter((one) => !one.typeOnly).map((one) => one.path)]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, trail: string[]) => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  expect(circles).toEqual([]);
});

test("every file of the server is used", () => {
  const used = new Set(all.flatMap(({ imports }) => imports.map((one) => one.path)));
  const dead = code.map(({ path }) => path).filter((path) => /^server\//.test(path) && !used.has(path));
  expect(dead).toEqual([]);
});
