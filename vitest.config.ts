import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const report = process.env.USAGEFLOW_TEST_REPORT; // for .ci/run, which counts

/** Files that start the command as a process, and wait for it. */
const LONG = /\/test\/(guide|journey|cli)\//;

/** Long files first: one that begins last would run alone. Where no run was before, vitest goes by the size of files. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: process.env.USAGEFLOW_TEST_WITHOUT_TENANT ? ["test/support/lose-predicates.ts"] : [], // npm run test:rls
    globalSetup: ["test/support/global-setup.ts"],
    disableConsoleIntercept: true,
    testTimeout: 180_000, // against what hangs: a machine may have a lot else to do
    hookTimeout: 180_000,
    maxWorkers: 3, // of two cores: one of them waits for PostgreSQL or a process at any time
    isolate: false, // what a file leaves is put back by it: loading the server anew for each took a quarter of all work
    sequence: { sequencer: LongFirst },
    expect: { poll: { timeout: 60_000, interval: 20 } },
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
  },
});
