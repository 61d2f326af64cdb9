import { expect, test } from "vitest";
import { parse } from "yaml";
import { type Listed, listing, listingText, type Showing } from "../../cli/output/listing.ts";
import type { Column } from "../../cli/output/table.ts";
import { setup } from "../support/harness.ts";
import { createHere } from "./run-here.ts";

interface Row {
  id: string;
  name: string;
  amount: string;
}

const columns: Column<Row>[] = [
  { title: "ID", value: (row) => row.id },
  { title: "FULL NAME", value: (row) => row.name, spare: true },
  { title: "AMOUNT", value: (row) => row.amount, right: true },
];

function shown(rows: readonly Partial<Row>[], showing: Showing): string {
  const listed = rows.map((row): Listed<Row> => {
    const item = { id: "", name: "", amount: "", ...row };
    return { item, json: () => ({ ...item, buyer: { name: item.name } }) };
  });
  return listingText(listing(listed, columns, showing), showing.output);
}

test("CSV is as RFC 4180 has it: a line of names, quotes where they are needed, CRLF", () => {
  const rows = [{ id: "a", name: 'Ann, "the" Great', amount: "-5.00 USD" }, { id: " b" }];
  expect(`${shown(rows, { output: "csv" })}\n`).toBe(
    'id,full-name,amount\r\na,"Ann, ""the"" Great",-5.00 USD\r\n" b",,\r\n',
  );
  expect(shown([], { output: "csv" })).toBe("id,full-name,amount\r");
});

test.each(["=1+1", "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\uff1d1"])(
  "a spreadsheet does not compute %s, which somebody chose as a name",
  (name) => {
    expect(shown([{ name }], { output: "csv", columns: ["full-name"] })).toBe(`full-name\r\n'${name}\r`);
  },
);

test("what begins with a tab or a line break loses it, and is then looked at", () => {
  expect(shown([{ name: "\t=1" }], { output: "csv", columns: ["full-name"] })).toBe("full-name\r\n' =1\r");
});

test("columns are chosen by title or by field of the JSON, in the order in which they are named", () => {
  const rows = [{ id: "a", name: "Ann", amount: "1" }];
  expect(shown(rows, { columns: ["AMOUNT", "full name", "buyer.name", "buyer"] })).toBe(
    'AMOUNT  FULL NAME  buyer.name  buyer\n     1  Ann        Ann         {"name":"Ann"}',
  );
  expect(() => shown(rows, { columns: ["nmae"] })).toThrow('there is no column "nmae"');
  expect(() => shown(rows, { columns: ["__proto__"] })).toThrow("there is no column");
  expect(() => shown(rows, { columns: ["id"], output: "yaml" })).toThrow("yaml has all fields");
});

test("amounts are sorted by currency and size, to the last digit, and what is empty comes last either way", () => {
  const amounts = [
    "10.00 USD",
    "",
    "9.50 USD",
    "-1.00 USD",
    "100 JPY",
    "9007199254740993.02 USD",
    "9007199254740993.01 USD",
  ];
  const sorted = (sort: string) =>
    shown(
      amounts.map((amount) => ({ amount })),
      { output: "csv", columns: ["amount"], sort: [sort] },
    )
      .split("\r\n")
      .slice(1)
      .map((cell) => cell.replace("\r", ""));
  const up = ["100 JPY", "-1.00 USD", "9.50 USD", "10.00 USD", "9007199254740993.01 USD", "9007199254740993.02 USD"];
  expect(sorted("amount")).toEqual([...up, ""]);
  expect(sorted("-amount")).toEqual([...up.toReversed(), ""]);
});

test("equal ones keep their order, and the next column decides", () => {
  const rows = [
    { id: "b", name: "x" },
    { id: "a", name: "y" },
    { id: "c", name: "x" },
  ];
  const order = (sort: string[]) => shown(rows, { output: "csv", columns: ["id"], sort }).replaceAll("\r", "");
  expect(order(["full-name"])).toBe("id\nb\nc\na");
  expect(order(["full-name", "-id"])).toBe("id\nc\nb\na");
});

test("a list command writes all forms, and sorts what it shows", async () => {
  const { api, clients, tenant } = await setup();
  for (const [id, name] of [
    ["a", "Zoe"],
    ["b", "Ann"],
  ])
    await clients.tenant.putCustomer({ customer: { id: id as string, name: name as string } });
  const { run } = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const list = (...args: string[]) => run(["customers", "list", ...args]);
  const asJson = await list("--json", "--sort", "-customer");
  expect(JSON.parse(asJson.stdout).customers).toMatchObject([{ id: "b" }, { id: "a" }]);
  expect(await list("--output", "json", "--sort=-customer")).toEqual(asJson);
  expect(parse((await list("--output", "yaml", "--sort", "name")).stdout)).toEqual(JSON.parse(asJson.stdout));
  expect((await list("--output", "csv", "--columns", "name,id", "--limit", "1")).stdout).toBe("name,id\r\nZoe,a\r\n");
  const failed = await list("--output", "json", "--columns", "id");
  expect([failed.code, JSON.parse(failed.stderr).error.code]).toEqual([2, "usage"]);
  expect(await list("--columns", "nmae")).toEqual({
    code: 2,
    stdout: "",
    stderr:
      'Error: there is no column "nmae"\nColumns: customer, name, first-seen. Fields: id, name, createdAt, taxRates, billing.\n',
  });
});
