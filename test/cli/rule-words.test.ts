import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { fieldWords, ruleWords } from "../../cli/output/rule-words.ts";

const proto = new URL("../../proto/usageflow/v1/", import.meta.url);

test("every pattern of the contract has words", async () => {
  const files = (await readdir(proto)).filter((name) => name !== "permission.proto");
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, proto), "utf8")));
  const patterns = texts.flatMap((text) => Array.from(text.matchAll(/pattern(?: =|:) ("(?:[^"\\]|\\.)*")/g)));
  expect(patterns.length).toBeGreaterThan(40);
  for (const [, literal] of patterns) {
    const pattern = JSON.parse(literal as string);
    expect(ruleWords(`does not match regex pattern \`${pattern}\``)).toMatch(/^must be /);
  }
});

test.each([
  ["endpoint_id", "^(whe_[0-9A-Za-z]{22})?$", "--endpoint: must be an id such as whe_01K0J1ZD8Q5x2nS7mXvTf3"],
  ["catalog.plans[0].currency", "^[A-Z]{3}$", "catalog.plans[0].currency: must be three capital letters such as USD"],
  ["event_types[1]", "^new$", "--type: does not match regex pattern `^new$`"],
])("%s is told as people write it", (field, pattern, told) => {
  expect(fieldWords(`${field}: does not match regex pattern \`${pattern}\``, field)).toBe(told);
});

test.each([
  ["time_zone", "must be the IANA name of a time zone", "--time-zone: must be the IANA name of a time zone"],
  ["lines.lines[0].position", "is named twice", "--line: is named twice"],
  ["aggregation", "must not be in list [0]", "aggregation: must be given"],
  ["catalog.plans[0].key", "must be new", "catalog.plans[0].key: must be new"],
  ["to", "the clock stands at noon and never goes back", "the clock stands at noon and never goes back"],
])("what is said of %s without naming it names it", (field, message, told) => {
  expect(fieldWords(message, field)).toBe(told);
});

test.each([
  ["id", ["DELIVERY", "--url"], "DELIVERY: is wrong"],
  ["event_id", ["EVENT", "--endpoint"], "EVENT: is wrong"],
  ["event_types[0]", ["--type", "--endpoint"], "--type: is wrong"],
  ["event_types[0]", ["URL", "--event"], "--event: is wrong"],
  ["event_types[0]", ["--event", "--type"], "--type: is wrong"],
  ["url", ["ENDPOINT", "--to"], "--to: is wrong"],
  ["reason", ["INVOICE", "--reason"], "--reason: is wrong"],
])("%s is told as the command's own of %j", (field, taken, told) => {
  expect(fieldWords("is wrong", field, taken)).toBe(told);
});

test.each([
  ["must not be before start", ["--from", "--to"], "--to: must not be before --from"],
  ["must not be before start", ["--from", "--before"], "--before: must not be before --from"],
])("of a span of time, %j is told with the flags of the command", (message, taken, told) => {
  expect(fieldWords(message, "end", taken)).toBe(told);
});

test("spans are told as people write them", () => {
  const message = "overlap: must be greater than or equal to 0s and less than or equal to 604800s";
  expect(fieldWords(message, "overlap")).toBe(
    "--overlap: must be greater than or equal to 0s and less than or equal to 7d",
  );
});
