import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseDocument } from "yaml";
import { defaults } from "../../server/config.ts";
import { makeScratch } from "../support/scratch.ts";
import { configurationPage } from "./configuration-page.ts";
import { type Block, blocksOf, examplesOf, readPage, writePage } from "./page.ts";
import { runPage } from "./run-page.ts";

const root = new URL("../../", import.meta.url).pathname;

/** Written by a command, which has a check of its own. */
const GENERATED = ["docs/cli.md", "docs/configuration.md", "docs/roles.md"];
/** Blocks that nothing runs, which say so: what a reader's own machine has to have, and pictures. */
const NOT_RUN: Record<string, number> = { "README.md": 2, "docs/concepts.md": 1, "docs/self-hosting.md": 4 };

const names = ["README.md", ...(await readdir(join(root, "docs"))).map((name) => `docs/${name}`)];
const pages = await Promise.all(
  names
    .filter((name) => name.endsWith(".md") && !GENERATED.includes(name))
    .map(async (name) => readPage(name, await readFile(join(root, name), "utf8"))),
);
const all = pages.flatMap(blocksOf);
const isNotRun = ({ words }: Block) => "not-run" in words;
const isPrinted = (block: Block) => (block.language === "console" || "screen" in block.words) && !isNotRun(block);

test.each(pages.filter((page) => blocksOf(page).some(isPrinted)).map((page) => [page.name, page] as const))(
  "%s shows what its commands print",
  async (name, page) => {
    await runPage(page);
    // What is printed otherwise by now is written by: npx vitest run test/guide -u
    await expect(writePage(page)).toMatchFileSnapshot(join(root, name));
  },
);

test("every block is run, or read, or says that it is not; few are not", () => {
  const counts: Record<string, number> = {};
  for (const block of all.filter(isNotRun)) {
    const page = block.place.replace(/:\d+$/, "");
    counts[page] = (counts[page] ?? 0) + 1;
  }
  expect(counts).toEqual(NOT_RUN);
  const known = ["console", "yaml", "json", "js", "ts"];
  const isScreen = ({ language, words }: Block) => language === "text" && "screen" in words;
  const strange = all.filter((block) => !isNotRun(block) && !isScreen(block) && !known.includes(block.language));
  expect(strange.map(({ place, language }) => `${place} ${language}`)).toEqual([]);
});

test("screens are those that the dashboard's own test found on a terminal", async () => {
  const shown = pages.filter((page) => blocksOf(page).some(({ words }) => words.screen));
  expect(shown.length).toBeGreaterThan(0);
  for (const page of shown) {
    for (const { words, lines } of blocksOf(page)) {
      if (!words.screen) continue;
      const screen = await readFile(join(root, `docs/screens/${words.screen}.txt`), "utf8");
      lines.splice(0, lines.length, ...screen.trimEnd().split("\n"));
    }
    await expect(writePage(page)).toMatchFileSnapshot(join(root, page.name));
  }
});

test("every file of a page is used by a command below it", () => {
  const unused = pages.flatMap((page) => {
    const blocks = blocksOf(page);
    return blocks.filter(({ words: { file } }, at) => {
      const below = blocks.slice(at + 1).flatMap((block) => [...examplesOf(block)].map(({ command }) => command));
      return file && !below.some((command) => command.includes(file));
    });
  });
  expect(unused.map(({ place, words }) => `${place} ${words.file}`)).toEqual([]);
});

test("links lead to pages and files that there are", async () => {
  const wrong = await Promise.all(
    pages.flatMap(({ name, parts }) => {
      const text = parts.filter((part) => typeof part === "string").join("\n");
      return [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(async ([, link = ""]) => {
        const path = join(root, dirname(name), link);
        return existsSync(path) ? [] : [`${name}: ${link}`];
      });
    }),
  );
  expect(wrong.flat()).toEqual([]);
});

test("a table of settings names variables that a server reads, with their defaults", async () => {
  const config = await readFile(join(root, "server/config.ts"), "utf8");
  const read = new Set(config.match(/\b(USAGEFLOW_[A-Z_]+|DATABASE_URL)\b/g));
  const integers = [...config.matchAll(/integer\("([A-Z_]+)", defaults\.(\w+)/g)];
  expect(integers.length).toBeGreaterThan(10);
  for (const name of ["README.md"]) {
    const rows = (await readFile(join(root, name), "utf8"))
      .split("\n")
      .filter((line) => /^\| `(USAGEFLOW_|DATABASE)/.test(line));
    const told = new Map<string, string>();
    for (const row of rows) {
      const cells = row.split("|");
      const values = (cells.at(-2) ?? "").split(",").map((value) => value.trim().replaceAll("`", ""));
      for (const [at, [, variable = ""]] of [...(cells[1] ?? "").matchAll(/`([A-Z_]+)`/g)].entries()) {
        told.set(variable, values[at] ?? "");
      }
    }
    expect([name, [...told.keys()].filter((variable) => !read.has(variable))]).toEqual([name, []]);
    for (const [, variable = "", key = ""] of integers) {
      if (!told.has(variable)) continue; // all of them are on their own page
      expect([name, variable, told.get(variable)]).toEqual([name, variable, String(defaults[key as "port"])]);
    }
  }
});

test("the page of settings is what the code says of them", async () => {
  expect(await readFile(join(root, "docs/configuration.md"), "utf8")).toBe(await configurationPage());
});

test("YAML and JSON can be read", () => {
  for (const { place, language, lines } of all) {
    const text = lines.join("\n");
    if (language === "json") expect(() => JSON.parse(text), place).not.toThrow();
    if (language === "yaml") expect([place, parseDocument(text).errors]).toEqual([place, []]);
  }
});

test("programs compile against what the package exports", { timeout: 60_000 }, async () => {
  const programs = all.filter((block) => ["js", "ts"].includes(block.language) && !isNotRun(block));
  expect(programs.length).toBeGreaterThan(0);
  const folder = await makeScratch("usageflow-guide-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules/usageflow"), "dir");
  for (const name of ["@types", "fastify"]) {
    await symlink(join(root, "node_modules", name), join(folder, "node_modules", name), "dir");
  }
  await Promise.all(
    programs.map(({ place, language, lines }) =>
      writeFile(join(folder, `${place.replaceAll(/[/.:]/g, "-")}.m${language}`), `${lines.join("\n")}\n`),
    ),
  );
  const compilerOptions = {
    ...{ target: "esnext", module: "nodenext", lib: ["esnext", "dom"], types: ["node"] },
    ...{ strict: true, checkJs: true, noEmit: true, skipLibCheck: true },
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
});
