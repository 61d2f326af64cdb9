import fc from "fast-check";
import { expect, test } from "vitest";
import { createLog, errorFacts } from "../../server/log.ts";
import { type Facts, writtenFacts } from "../../server/observe/fact.ts";

const UUID = "0199f0c4-0000-7000-8000-000000000001";

test("what is no fact is left out, and a value of another shape is masked", () => {
  const strange = { payload: "x", headers: { a: 1 }, method: "POST /api/track?key=x", tenant_id: "ann", code: "a b" };
  expect(writtenFacts(strange as Facts)).toEqual({ method: "[masked]", tenant_id: "[masked]", code: "[masked]" });
  const numbers = { status: "200", duration_ms: Number.NaN, in_lane: "yes", address: "nowhere" };
  expect(writtenFacts(numbers as unknown as Facts)).toMatchObject({
    status: "[masked]",
    in_lane: false,
    address: "[masked]",
  });
  const good = { method: "usageflow.v1.TenantService/CancelOrganizationDeletion", request_id: UUID, code: "not_found" };
  expect(writtenFacts({ ...good, address: "::1", status: 0, type: "invoice.finalized" })).toMatchObject(good);
});

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const random = (length: number) =>
  fc.string({ unit: fc.constantFrom(...letters), minLength: length, maxLength: length });
const secrets = fc.oneof(
  random(51).map((text) => `uf_live_${text}`),
  random(51).map((text) => `uf_test_${text}`),
  random(51).map((text) => `uf_pat_${text}`),
  random(44).map((text) => `whsec_${text}`),
  random(30).map((text) => `Bearer ${text}`),
  random(20).map((text) => `postgres://usageflow_app:${text}@db:5432/usageflow`),
  random(20).map((text) => `https://example.com/hook/${text}?token=${text}#${text}`),
  random(64).map((text) => `0${text}`),
);

test("a secret is in no fact, wherever it stands", () => {
  const names = [
    "error",
    "stack",
    "url",
    "code",
    "method",
    "type",
    "tenant_id",
    "trace_id",
    "login",
    "week",
    "error_code",
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      secrets,
      fc.constantFrom("x", "a x b", "    at f (x)"),
      (name, secret, around) => {
        const value = around.replace("x", secret);
        const written = String(writtenFacts({ [name]: value } as Facts)[name]);
        const kernel = /[A-Za-z0-9]{20,}/.exec(secret)?.[0] ?? "none";
        expect(written).not.toContain(kernel);
      },
    ),
    { numRuns: 1_000 },
  );
});

/** As pg makes them. */
function databaseError(code: string, message: string, more: Record<string, string> = {}): Error {
  return Object.assign(new Error(message), { code, severity: "ERROR", length: 1, ...more });
}

test("a database error is told by its code and by what it is about, and not by anybody's data", () => {
  const refusal = databaseError("22P02", 'invalid input syntax for type numeric: "ann owes 7"', {
    where: "ann owes 7",
  });
  expect(errorFacts(refusal)).toMatchObject({
    error: 'invalid input syntax for type numeric: "…"',
    error_code: "22P02",
  });
  const double = databaseError("23505", 'duplicate key value violates unique constraint "customer_pkey"', {
    ...{ detail: "Key (tenant_id, id)=(1, ann) already exists.", constraint: "customer_pkey", table: "customer" },
  });
  expect(errorFacts(double)).toMatchObject({ constraint: "customer_pkey", table: "customer", error_code: "23505" });
  expect(JSON.stringify(writtenFacts(errorFacts(double)))).not.toContain("ann");
  const ours = databaseError("42703", 'column "properties" does not exist');
  expect(errorFacts(ours).error).toBe('column "properties" does not exist');
});

test("of a stack only the places in our code are told, though a message looks like one", () => {
  const error = new Error("Unexpected token 'a', \"ann owes 7\" is not valid JSON\n    at ann.owes (7)");
  const { error: words, stack } = writtenFacts(errorFacts(error));
  expect(words).not.toContain('owes 7"');
  expect(stack).toMatch(/^ +at .*fact\.test\.ts/);
  expect(stack).not.toContain("ann");
});

test("a level says what is written, debug included", () => {
  const written = (level: "debug" | "info" | "warn" | "error" | "silent") => {
    const lines: string[] = [];
    const log = createLog(level, { write: (line) => void lines.push(line) });
    for (const at of ["debug", "info", "warn", "error"] as const) log[at](`at.${at}`, { count: 1 });
    return lines.map((line) => JSON.parse(line).msg);
  };
  expect(written("debug")).toEqual(["at.debug", "at.info", "at.warn", "at.error"]);
  expect(written("warn")).toEqual(["at.warn", "at.error"]);
  expect(written("silent")).toEqual([]);
});
