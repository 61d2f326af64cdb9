import { expect, test } from "vitest";
import { databaseFailure } from "../../cli/database-failure.ts";
import { failureOf } from "../../cli/errors.ts";
import { exitCodeOf } from "../../cli/exit-codes.ts";

test.each([
  ["ECONNREFUSED", 6, "cannot be reached"],
  ["57P03", 6, "cannot be reached"],
  ["53300", 6, "cannot be reached"],
  ["28P01", 3, "refuses the login"],
  ["42501", 3, "does not allow it"],
  ["3D000", 4, "on this server"],
  ["42P01", 5, "has no schema yet, or an older one"],
])("what PostgreSQL says with %s is told with exit code %i", async (code, exit, words) => {
  const told = await failureOf(databaseFailure(Object.assign(new Error("as it says"), { code })));
  expect(told).toMatchObject({
    message: expect.stringContaining(words),
    hint: expect.stringMatching(/[.?]$|migrate$/),
  });
  expect(told.message).toContain("as it says");
  expect(exitCodeOf(told.code)).toBe(exit);
});

test("a name with several addresses is told with all of them", () => {
  const both = new AggregateError([new Error("::1 refuses"), new Error("127.0.0.1 refuses")]);
  const failure = databaseFailure(Object.assign(both, { code: "ECONNREFUSED" }));
  expect(failure?.message).toBe("the database cannot be reached: ::1 refuses; 127.0.0.1 refuses");
});

test("what is no failure of the database stays what it is", () => {
  expect(databaseFailure(Object.assign(new Error("x"), { code: "23505" }))).toBeUndefined();
});
