import { access, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

test("SECURITY.md says how each promise is tested, with files that are there", async () => {
  const page = await readFile("SECURITY.md", "utf8");
  const rows = page.slice(page.indexOf("## What is promised")).split("\n## ")[0]?.split("\n| ").slice(2) ?? [];
  expect(rows.length).toBeGreaterThan(10);
  const untested = rows.filter((row) => !/`test\/[a-z/-]+\.(test\.)?(ts|json)`/.test(row));
  expect(untested).toEqual([]);
  const named = [...page.matchAll(/`(test\/[\w./-]+)`/g)].map(([, path]) => path as string);
  const gone: string[] = [];
  for (const path of named) await access(path).catch(() => gone.push(path));
  expect(gone).toEqual([]);
});

test("SECURITY.md names commands that there are", async () => {
  const page = await readFile("SECURITY.md", "utf8");
  const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
  const named = [...page.matchAll(/`npm (?:run )?([\w:]+)/g)].map(([, name]) => name as string);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
