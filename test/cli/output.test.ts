import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Column, facts, fitting, table } from "../../cli/output/table.ts";
import { moment, money, printable, time, word } from "../../cli/output/text.ts";
import { InvoiceKind, InvoiceKindSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { fromMinor, isCurrency } from "../../server/money.ts";

describe("a table", () => {
  const columns: Column<[string, string]>[] = [
    { title: "ID", value: ([id]) => id },
    { title: "NAME", value: ([, name]) => name, cut: true },
    { title: "LENGTH", value: ([, name]) => String(name.length), right: true },
  ];
  const rows: [string, string][] = [
    ["a_1", "short"],
    ["a_2", "a name that is rather long"],
  ];

  test("is whole where there is no width", () => {
    expect(table(columns, rows, undefined)).toBe(`\
ID   NAME                        LENGTH
a_1  short                            5
a_2  a name that is rather long      26`);
  });

  test("cuts what may be cut, so that lines fit the terminal", () => {
    expect(table(columns, rows, 24)).toBe(`\
ID   NAME         LENGTH
a_1  short             5
a_2  a name tha…      26`);
  });

  test("leaves out what it can spare, then cuts, what is wanted most as the last", () => {
    const some: Column<string>[] = [
      { title: "URL", value: (text) => text.repeat(3), cut: "last" },
      { title: "EVENTS", value: (text) => text.repeat(3) },
      { title: "TEXT", value: (text) => text.repeat(4), cut: true },
      { title: "MADE", value: () => "2015-05-01", spare: true },
    ];
    const lineAt = (width: number) => table(some, ["abcde"], width).split("\n")[1];
    expect(lineAt(66)).toBe("abcdeabcdeabcde  abcdeabcdeabcde  abcdeabcdeabcdeabcde  2015-05-01");
    expect(lineAt(65)).toBe("abcdeabcdeabcde  abcdeabcdeabcde  abcdeabcdeabcdeabcde");
    expect(lineAt(43)).toBe("abcdeabcdeabcde  abcdeabcdeabcde  abcdeabc…");
    expect(lineAt(40)).toBe("abcdeabcdeab…  abcdeabcdeabcde  abcdeab…");
  });

  test("spares the last column first, and no more than it must", () => {
    const some: Column<string>[] = [
      { title: "ID", value: (text) => text },
      { title: "HELD BY", value: (text) => text, spare: true },
      { title: "MADE", value: () => "2015-05-01", spare: true },
    ];
    const titlesAt = (width?: number) => fitting(some, ["abcde"], width).map(({ title }) => title);
    expect([titlesAt(26), titlesAt(25), titlesAt(13)]).toEqual([["ID", "HELD BY", "MADE"], ["ID", "HELD BY"], ["ID"]]);
  });

  test("leaves nothing out for a text that is long beyond measure: it is cut", () => {
    const some: Column<string>[] = [
      { title: "CHANGE", value: () => "x".repeat(300), cut: true },
      { title: "BY", value: () => "key_1", spare: true },
    ];
    expect(fitting(some, [""], 60).map(({ title }) => title)).toEqual(["CHANGE", "BY"]);
  });

  test("never cuts an id", () => {
    expect(table(columns, rows, 5)).toContain("a_2  a name …");
  });

  test("of many rows is a table too", () => {
    expect(table(columns, Array<[string, string]>(300_000).fill(["a", "b"]), undefined).split("\n")).toHaveLength(
      300_001,
    );
  });

  test("has one line for each row, whatever the data holds", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), (names) => {
        const text = table(
          columns,
          names.map((name): [string, string] => ["x", name]),
          40,
        );
        expect(text.split("\n")).toHaveLength(names.length + 1);
      }),
    );
  });
});

test("facts leave out what is empty", () => {
  expect(facts({ Invoice: "INV-1", Finalized: "", State: "draft" })).toBe("Invoice  INV-1\nState    draft");
});

test("data cannot act on the terminal", () => {
  expect(printable("a\u001b[31mb\u0007\r\nc\u009bd")).toBe("a [31mb c d");
});

test("money is written as the server counts it, for every currency", () => {
  for (const currency of Intl.supportedValuesOf("currency").filter(isCurrency)) {
    for (const minor of [0n, 7n, -7n, 1_234_567n])
      expect(money(minor, currency)).toBe(`${fromMinor(minor, currency)} ${currency}`);
  }
});

test.each([
  ["2015-05-01T00:00:00Z", "2015-05-01 00:00"],
  ["2015-05-01T12:34:56.789Z", "2015-05-01 12:34:56"],
])("the time %s is written %s", (at, text) => {
  expect(time(timestampFromDate(new Date(at)))).toBe(text);
});

test("the moment of a full minute has its seconds", () => {
  expect(moment(timestampFromDate(new Date("2015-05-01T00:00:00Z")))).toBe("2015-05-01 00:00:00");
});

test("a value of an enumeration is words; one that is not known yet is its number", () => {
  expect(word(InvoiceKindSchema, InvoiceKind.IN_ARREARS)).toBe("in arrears");
  expect(word(InvoiceKindSchema, 99)).toBe("99");
});
