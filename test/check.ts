import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Everything that is checked besides the tests. Runs all of it, shows what failed, and ends with the count.

const generated = mkdtempSync(join(tmpdir(), "usageflow-gen-"));

const checks: Record<string, string[][]> = {
  "format and lint": [["biome", "check", "--error-on-warnings"]],
  "types of the product": [["tsc", "-p", ".", "--noEmit"]],
  "types of the tests": [["tsc", "-p", "test"]],
  "contract: format": [["buf", "format", "--diff", "--exit-code", "proto", "--path", "proto/usageflow"]],
  "contract: lint": [["buf", "lint"]],
  "contract: no break against the baseline": [["buf", "breaking", "proto", "--against", "proto/baseline.binpb"]],
  "generated code is up to date": [
    ["buf", "generate", "--template", "proto/buf.gen.yaml", "--output", generated],
    ["diff", "--recursive", join(generated, "gen"), "gen"],
    ["diff", "--recursive", join(generated, "docs/reference"), "docs/reference"],
  ],
  "the page of commands is up to date (npm run gen:docs)": [
    ["node", "test/generate-command-page.ts", join(generated, "cli.md")],
    ["diff", join(generated, "cli.md"), "docs/cli.md"],
  ],
  "the page of settings is up to date (npm run gen:docs)": [
    ["node", "test/generate-configuration-page.ts", join(generated, "configuration.md")],
    ["diff", join(generated, "configuration.md"), "docs/configuration.md"],
  ],
  "the page of roles is up to date (npm run gen:docs)": [
    ["node", "test/generate-role-page.ts", join(generated, "roles.md")],
    ["diff", join(generated, "roles.md"), "docs/roles.md"],
  ],
};

let failed = 0;
for (const [name, commands] of Object.entries(checks)) {
  const problem = commands
    .map(([command = "", ...args]) => spawnSync(command, args, { encoding: "utf8" }))
    .find(({ status }) => status !== 0);
  process.stdout.write(`${problem ? "FAILED" : "ok    "}  ${name}\n`);
  if (!problem) continue;
  failed++;
  process.stdout.write(`${problem.stdout}${problem.stderr}${problem.error?.message ?? ""}\n`);
}
rmSync(generated, { recursive: true });
process.stdout.write(`${Object.keys(checks).length - failed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
