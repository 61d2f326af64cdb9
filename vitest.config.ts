import { defineConfig } from "vitest/config";

const report = process.env.USAGEFLOW_TEST_REPORT; // for .ci/run, which counts

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: process.env.USAGEFLOW_TEST_WITHOUT_TENANT ? ["test/support/lose-predicates.ts"] : [], // npm run test:rls
    globalSetup: ["test/support/global-setup.ts"],
    disableConsoleIntercept: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    isolate: false, // what a file leaves is put back by it: loading the server anew for each took a quarter of all work
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
