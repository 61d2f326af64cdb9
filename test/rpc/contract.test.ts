import { create, type DescField, type DescMessage, getOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { field as fieldOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matches } from "../../server/rpc/contract.ts";
import { services } from "../support/services.ts";

/** Of each pattern a field that has it. */
const patterns = new Map<string, { desc: DescMessage; field: DescField }>();
const seen = new Set<DescMessage>();

function look(desc: DescMessage): void {
  if (seen.has(desc)) return;
  seen.add(desc);
  for (const field of desc.fields) {
    const { type } = getOption(field, fieldOption);
    const pattern = type.case === "string" ? type.value.pattern : "";
    if (pattern !== "" && field.fieldKind === "scalar") patterns.set(pattern, { desc, field });
    if (field.message) look(field.message);
  }
}

for (const { methods } of services) for (const { input } of methods) look(input);

const theirs = createValidator();
const ours = createValidator({ regexMatch: matches });

describe("a pattern of the contract", () => {
  test("is found in many places", () => {
    expect(patterns.size).toBeGreaterThan(20);
  });

  test.each([...patterns])("%s means the same to RE2 and to the platform", (pattern, { desc, field }) => {
    const refuses = (validator: typeof ours, text: string) => {
      const message = create(desc);
      reflect(desc, message).set(field, text);
      const { violations = [] } = validator.validate(desc, message);
      return violations.some((one) => one.ruleId === "string.pattern" && one.field[0] === field);
    };
    const near = fc
      .tuple(fc.stringMatching(new RegExp(pattern, "u")), fc.string({ unit: "binary", maxLength: 2 }), fc.nat(20))
      .map(([text, more, at]) => text.slice(0, at) + more.toWellFormed() + text.slice(at));
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(new RegExp(pattern, "u")), near);
    fc.assert(
      fc.property(texts, (text) => {
        const whole = text.toWellFormed();
        expect(refuses(ours, whole)).toBe(refuses(theirs, whole));
      }),
    );
  });

  test.each([...patterns.keys()])("%s takes no longer the more ways there are to read a text", (pattern) => {
    // Two repeats of the same characters side by side would be tried in every way.
    expect(pattern).not.toMatch(/[*+}]\)[*+{]/);
  });
});
