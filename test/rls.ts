import { spawnSync } from "node:child_process";

// Tests under a mutant of the server, one domain at a time: statements of calls that the domain's code sends do not name the
// tenant, so row-level security is all that keeps tenants apart. `npm run test:rls -- webhook usage`; none named: all.

const DOMAINS = ["tenant", "usage", "pricing", "invoice", "webhook"];
const TESTS = ["test/journey/isolation.test.ts", "test/journey/interleaved.test.ts", "test/rpc/permission.test.ts"];

const chosen = process.argv.slice(2);
let failed = 0;
for (const domain of chosen.length > 0 ? chosen : DOMAINS) {
  const { status, stdout, stderr } = spawnSync("vitest", ["run", ...TESTS, `test/${domain}/`], {
    env: { ...process.env, USAGEFLOW_TEST_WITHOUT_TENANT: domain, NO_COLOR: "1" },
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  const count = /^ +Tests +(.*)$/m.exec(stdout)?.[1] ?? "no test ran";
  process.stdout.write(
    `${status === 0 ? "ok    " : "FAILED"}  without the tenant in statements of ${domain}: ${count}\n`,
  );
  if (status === 0) continue;
  failed++;
  process.stdout.write(
    `${stdout
      .split("\n")
      .filter((line) => /^ *(×|FAIL|AssertionError)/.test(line))
      .join("\n")}\n${stderr}\n`,
  );
}
process.exitCode = failed > 0 ? 1 : 0;
