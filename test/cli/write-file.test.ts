import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { writeWhole } from "../../cli/write-file.ts";

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "usageflow-write-"));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

test("a file is replaced with its rights kept, through a link too, and nothing is left beside it", async () => {
  const place = await folder();
  const file = join(place, "file");
  await writeFile(file, "old", { mode: 0o600 });
  await symlink("file", join(place, "link"));
  await writeWhole(join(place, "link"), "new");
  expect(await readFile(file, "utf8")).toBe("new");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readlink(join(place, "link"))).toBe("file");
  expect(await readdir(place)).toEqual(["file", "link"]);
});

test("a folder and a place that is not there are refused by name", async () => {
  const place = await folder();
  await expect(writeWhole(place, "x")).rejects.toThrow(`${place}: is a folder`);
  const nowhere = join(place, "no", "file");
  await expect(writeWhole(nowhere, "x")).rejects.toThrow(new RegExp(`^${nowhere}: its folder is not there$`));
  expect(await readdir(place)).toEqual([]);
});
