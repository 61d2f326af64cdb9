import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, matchesGlob, normalize } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const shipped = filesOfTarball();
const scripts = shipped.filter((file) => file.endsWith(".js"));

/** What draws on a terminal. It costs as much to load as three commands to run. */
const DRAWING = ["ink", "react", "@inkjs/ui"];
const DRAWN = "dist/cli/commands/dashboard.js";
/** What only a server needs. */
const SERVING = ["pg", "kysely", "pino"];

function filesOfTarball(): string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const said = execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const packed = Object.values(JSON.parse(said))[0] as { files: { path: string }[] }; // by name or in a list: npm's vary
  return packed.files.map(({ path }) => path);
}

interface Import {
  from: string;
  what: string;
  /** Loaded when the file is, and not later by `import()`. */
  atOnce: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(
    /^(?:import|export)\s(?:[^;"']*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)|\brequire\w*\([^()]*\)\("([^"]+)"\)/gim,
  );
  return [...found].map(([, first, later, required]) => ({
    from: file,
    what: (first ?? later ?? required) as string,
    atOnce: first !== undefined,
  }));
}

const targetOf = ({ from, what }: Import) => normalize(join(dirname(from), what));
const packageOf = ({ what }: Import) => what.split("/", what.startsWith("@") ? 2 : 1).join("/");

/** Packages that are loaded when a file is. */
function packagesAtOnce(file: string, seen = new Set<string>()): Set<string> {
  const found = new Set<string>();
  if (seen.has(file)) return found;
  seen.add(file);
  for (const one of importsOf(file).filter(({ atOnce }) => atOnce)) {
    if (!one.what.startsWith(".")) found.add(packageOf(one));
    else for (const name of packagesAtOnce(targetOf(one), seen)) found.add(name);
  }
  return found;
}

test("the tarball has what it runs, and nothing of the workshop", () => {
  expect(scripts.length).toBeGreaterThan(200);
  for (const file of [
    "cli/bin/run.js",
    "dist/cli/main.js",
    "oclif.manifest.json",
    "README.md",
    "migrations/0001_tenant.sql",
  ])
    expect(shipped).toContain(file);
  expect(
    shipped.filter((file) => /^(test|proto|server|gen|docs)\/|\.ts$|\.map$/.test(file) && !file.endsWith(".d.ts")),
  ).toEqual([]);
});

test("every import of a shipped file is of a shipped file, of Node, or of a package that is installed with it", () => {
  const installed = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const imports = scripts.flatMap(importsOf);
  expect(imports.length).toBeGreaterThan(1_000);
  const missing = imports.filter((one) => {
    if (one.what.startsWith(".")) return !shipped.includes(targetOf(one));
    return !isBuiltin(one.what) && !installed.includes(packageOf(one));
  });
  expect(missing).toEqual([]);
});

test("what is exported is shipped", () => {
  expect(
    Object.values(manifest.exports)
      .flatMap((place) => (typeof place === "string" ? [place] : Object.values(place as Record<string, string>)))
      .filter((place) => !shipped.some((file) => matchesGlob(file, normalize(place)))),
  ).toEqual([]);
});

test("only a command that draws loads what draws; one that calls a server loads nothing of a server", () => {
  const commands = scripts.filter((file) => file.startsWith("dist/cli/commands/") && file !== DRAWN);
  expect(commands.length).toBeGreaterThan(60);
  // Those that are the server, or work on its database in its stead.
  const starts = (file: string) =>
    /\/(serve|migrate|init|demo|doctor|status|organization\/recover)\.js$|\/(emulator|secrets)\//.test(file);
  const wrong = [...commands, "dist/cli/main.js", "dist/cli/errors.js"].map((file) => {
    const banned = starts(file) ? DRAWING : [...DRAWING, ...SERVING];
    return [file, [...packagesAtOnce(file)].filter((name) => banned.includes(name))];
  });
  expect(wrong.filter(([, loaded]) => loaded?.length)).toEqual([]);
});

test("the version is answered before anything is loaded but Node's own", () => {
  const first = importsOf("cli/bin/run.js").filter(({ atOnce }) => atOnce);
  expect(first.filter(({ what }) => !isBuiltin(what))).toEqual([]);
});
