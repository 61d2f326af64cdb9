import { loseTenantPredicates } from "./without-predicates.ts";

// Loaded before each test file by `npm run test:rls`, and by nothing else.

const domain = process.env.USAGEFLOW_TEST_WITHOUT_TENANT;
if (domain) loseTenantPredicates(domain);
