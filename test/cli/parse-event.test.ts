import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLineParser } from "../../cli/usage/parse-event.ts";
import { LINE_BYTES_MAX, type Line, readLines } from "../../cli/usage/read-lines.ts";

async function linesOf(...chunks: Buffer[]): Promise<Line[]> {
  return Array.fromAsync(
    readLines(
      (async function* () {
        yield* chunks;
      })(),
    ),
  );
}

function parse(text: string | Buffer) {
  return createLineParser()({ number: 1, bytes: Buffer.from(text) });
}

describe("lines", () => {
  test("are the same however the bytes come", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.constantFrom("a", "\n", "\u2028", "é"))), async (parts) => {
        const chunks = parts.map((part) => Buffer.from(part.join("")));
        const text = Buffer.concat(chunks).toString();
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        const lines = await linesOf(...chunks);
        expect(lines.map(({ bytes }) => bytes?.toString())).toEqual(expected);
        expect(lines.map(({ number }) => number)).toEqual(expected.map((_, at) => at + 1));
      }),
    );
  });

  test("that are too long are counted and not kept", async () => {
    const lines = await linesOf(Buffer.alloc(LINE_BYTES_MAX, 97), Buffer.from("a\nb"));
    expect(lines).toEqual([
      { number: 1, bytes: undefined },
      { number: 2, bytes: Buffer.from("b") },
    ]);
  });
});

describe("a line", () => {
  test("is an event, whose numbers keep all their digits", () => {
    const line =
      '{"metric":"A","amount":12345678901234567890.123456789012,"customerId":"c","properties":{"n":1e2,"b":true,"metric":7}}';
    expect(parse(line)).toMatchObject({
      metric: "A",
      amount: "12345678901234567890.123456789012",
      customerId: "c",
      properties: { n: "1e2", b: "true", metric: "7" },
    });
  });

  test.each([
    ["{bad", "is not JSON: Expected property name or '}' in JSON at position 1"],
    ["[]", "is not a JSON object"],
    ["null", "is not a JSON object"],
    ['{"metrics":"A"}', 'key "metrics" is unknown'],
    ['{"customerId":true}', "customerId: expected string, got true"],
    ['{"customerId":42}', "customerId: expected string, got 42"],
    ['{"metric":1.5}', "metric: expected string, got 1.5"],
    ['{"occurredAt":"yesterday"}', "occurredAt: invalid RFC 3339 string"],
    [Buffer.of(0xff, 0xfe), "is not UTF-8"],
  ])("%j is refused", (line, problem) => {
    expect(parse(line)).toEqual({ problem });
  });

  test("that is empty is nothing", () => {
    expect(parse(" \r")).toBeUndefined();
  });

  test("without a key gets one from its content and its place among equal lines", () => {
    const lines = ['{"metric":"A"}', '{"metric":"B"}', '{"metric":"A"}', '{"metric":"A","idempotencyKey":"mine"}'];
    const keys = () => {
      const parser = createLineParser();
      return lines.map((line, at) => parser({ number: at + 1, bytes: Buffer.from(line) }));
    };
    const [a1, b1, a2, mine] = keys();
    expect(a1).toMatchObject({ idempotencyKey: expect.stringMatching(/^import-[0-9a-f]{64}-1$/) });
    expect(a2).toMatchObject({ idempotencyKey: expect.stringMatching(/^import-[0-9a-f]{64}-2$/) });
    expect(b1).toMatchObject({ idempotencyKey: expect.stringMatching(/-1$/) });
    expect(mine).toMatchObject({ idempotencyKey: "mine" });
    expect(keys()).toEqual([a1, b1, a2, mine]);
  });
});
