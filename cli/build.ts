import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Plugin } from "@oclif/core";

// Builds what runs: `dist/`, oclif's manifest of the commands, and `node_modules/.bin/usageflow`. npm runs it after every
// install in a checkout (the script `prepare`).

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules/.bin");

// Built anew beside its place: what is left of a deleted source would still be a command.
const fresh = join(root, "node_modules/.dist");
rmSync(fresh, { recursive: true, force: true });
const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", root, "--outDir", fresh, "--incremental", "false"];
execFileSync(process.execPath, [...tsc, "--tsBuildInfoFile", "null"], { stdio: "inherit" });
rmSync(join(root, "dist"), { recursive: true, force: true });
renameSync(fresh, join(root, "dist"));

// Without the manifest every command line would load every command.
const plugin = new Plugin({ root, type: "core", ignoreManifest: true, errorOnManifestCreate: true });
await plugin.load();
writeFileSync(join(root, "oclif.manifest.json"), `${JSON.stringify(plugin.manifest)}\n`);

// npm links the bins of dependencies, and not a package's own.
mkdirSync(bin, { recursive: true });
if (process.platform === "win32") {
  writeFileSync(join(bin, "usageflow.cmd"), '@node "%~dp0\\..\\..\\cli\\bin\\run.js" %*\r\n');
} else {
  rmSync(join(bin, "usageflow"), { force: true });
  symlinkSync("../../cli/bin/run.js", join(bin, "usageflow"));
}
