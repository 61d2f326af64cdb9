import { describe, expect, test } from "vitest";
import { eventTypes } from "../../server/outbox/event-type.ts";
import { checkPatterns, receives } from "../../server/webhook/event-filter.ts";

describe("receives", () => {
  test.each([
    { patterns: [], type: "invoice.created", so: true },
    { patterns: ["*"], type: "invoice.created", so: true },
    { patterns: ["invoice.*"], type: "invoice.created", so: true },
    { patterns: ["invoice.created"], type: "invoice.created", so: true },
    { patterns: ["invoice.finalized"], type: "invoice.created", so: false },
    { patterns: ["invoice.finalized", "invoice.created"], type: "invoice.created", so: true },
    { patterns: ["customer.*"], type: "invoice.created", so: false },
  ])("answers $so for $type and $patterns", ({ patterns, type, so }) => {
    expect(receives(patterns, type)).toBe(so);
  });
});

describe("checkPatterns", () => {
  test("accepts what some event type matches", () => {
    expect(() => checkPatterns([])).not.toThrow();
    expect(() => checkPatterns(["*", "invoice.*", "invoice.created", "invoice.finalized"])).not.toThrow();
  });

  test.each(["invoice.payed", "invoices.*", "invoice.create"])("refuses %s, and names what there is", (pattern) => {
    expect(() => checkPatterns(["*", pattern])).toThrow(
      `no event type matches "${pattern}"; the event types are ${eventTypes.join(", ")}`,
    );
  });
});
