import { appendFileSync } from "node:fs";
import { afterAll } from "vitest";
import { loseTenantPredicates } from "./without-predicates.ts";

// Loaded before each test file by `npm run test:rls`, and by nothing else. Writes down which statements lost a predicate.

const { USAGEFLOW_TEST_WITHOUT_TENANT: domain, USAGEFLOW_TEST_LOST: file } = process.env;
if (domain) {
  const mutation = loseTenantPredicates(domain);
  afterAll(() => {
    mutation.undo();
    if (mutation.kept.size > 0) throw new Error(`these keep their tenant:\n${[...mutation.kept].join("\n")}`);
    if (file) for (const text of mutation.lost.get(domain) ?? []) appendFileSync(file, `${text}\0`);
  });
}
