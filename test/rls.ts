import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Tests under a mutant of the server, one domain at a time: statements of calls that the domain's code sends name neither the
// tenant nor the organization, so row-level security is all that keeps them apart. `npm run test:rls -- webhook usage`; none
// named: all. `rpc` is what the server asks before a call is a domain's: keys, and answers that are given again.

const DOMAINS = ["tenant", "usage", "pricing", "invoice", "webhook", "rpc"];
const TESTS = ["test/journey/isolation.test.ts", "test/journey/interleaved.test.ts", "test/rpc/permission.test.ts"];

/** Tests that are left out, and why: they ask for something else than which rows a call sees. */
const LEFT_OUT: Record<string, string> = {
  // Row-level security hides what no predicate finds, and PostgreSQL reads it all the same.
  "test/usage/usage-reads.test.ts":
    "counts the rows that statements read: what they cost, with the predicates that they have",
};

const chosen = process.argv.slice(2);
const strange = chosen.filter((domain) => !DOMAINS.includes(domain));
if (strange.length > 0) throw new Error(`no domain: ${strange.join(", ")}; there are ${DOMAINS.join(", ")}`);
for (const [file, why] of Object.entries(LEFT_OUT)) process.stdout.write(`left out: ${file} ${why}\n`);
const folder = mkdtempSync(join(tmpdir(), "usageflow-rls-"));
const excluded = Object.keys(LEFT_OUT).flatMap((file) => ["--exclude", file]);
let failed = 0;
for (const domain of chosen.length > 0 ? chosen : DOMAINS) {
  const lost = join(folder, domain);
  const { status, stdout, stderr } = spawnSync("vitest", ["run", ...TESTS, `test/${domain}/`, ...excluded], {
    env: { ...process.env, USAGEFLOW_TEST_WITHOUT_TENANT: domain, USAGEFLOW_TEST_LOST: lost, NO_COLOR: "1" },
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  const count = /^ +Tests +(.*)$/m.exec(stdout)?.[1] ?? "no test ran";
  const statements = statementsIn(lost);
  const isGood = status === 0 && statements > 0; // that of which nothing was taken shows nothing
  process.stdout.write(
    `${isGood ? "ok    " : "FAILED"}  ${domain}, ${statements} statements without their tenant: ${count}\n`,
  );
  if (isGood) continue;
  failed++;
  process.stdout.write(
    `${stdout
      .split("\n")
      .filter((line) => /^ *(×|FAIL|AssertionError)/.test(line))
      .join("\n")}\n${stderr}\n`,
  );
}
rmSync(folder, { recursive: true });
process.exitCode = failed > 0 ? 1 : 0;

/** How many different statements lost a predicate, as lose-predicates.ts wrote them. */
function statementsIn(file: string): number {
  try {
    return new Set(readFileSync(file, "utf8").split("\0").slice(0, -1)).size;
  } catch {
    return 0; // there was none
  }
}
