import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { creditNoteDocument } from "../../cli/document/credit-note-document.ts";
import { documentHtml } from "../../cli/document/html.ts";
import { amountDue, invoiceDocument } from "../../cli/document/invoice-document.ts";
import { documentText } from "../../cli/document/text.ts";
import { CreditNoteSchema } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { InvoiceSchema, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { billed } from "../support/billing.ts";
import { createHere } from "./run-here.ts";
import { sampleInvoice } from "./sample-invoice.ts";

/** Every tag and entity of a document, in order: what is not text. */
const markup = (html: string) => html.match(/<[^>]*>|&[a-z#0-9]+;/g);

test("as text it explains each line, adds up, and fits 80 columns", () => {
  expect(documentText(invoiceDocument(sampleInvoice()), 80)).toBe(`\
Invoice         INV-000042
Customer        user_123
State           finalized
Issued          2015-06-01
Due             2015-07-01
Period          2015-05-01 00:00 to 2015-06-01 00:00 UTC, in arrears
Plan            pro, version 1
Purchase order  PO 7

FROM                  TO
Acme GmbH             Łódź Engines sp. z o.o.
Hauptstr. 1           東京支社
10115 Berlin          ap@lodz.test
Tax id DE123456789

LINE                                 QUANTITY     AMOUNT
Platform fee                                1  20.00 USD
API calls: 1000 units                    1000  34.47 USD
  tier up to 100: 100 × 0.045                        4.5
  tier above 100: 900 × 0.0333                     29.97
Egress: 76 packages of 1000000 byte  75123456   6.84 USD
  package: 76 × 0.09                                6.84
Subtotal                                       61.31 USD
Welcome (10%)                                  -6.13 USD
VAT (19%)                                      10.48 USD
  19% of 55.18                                   10.4842
Paid with credit                               -0.84 USD
  goodwill                                         -0.84
Total                                          64.82 USD
Levy (1%) in it                                 0.55 USD
Taken back by credit notes                     -5.00 USD
Amount due                                     59.82 USD

Please name the invoice when you pay.`);
});

test("its days are those of its time zone", () => {
  const { facts } = invoiceDocument(sampleInvoice({ timeZone: "America/New_York" }));
  expect(facts).toMatchObject({
    Issued: "2015-05-31",
    Due: "2015-06-30",
    Period: "2015-04-30 20:00 to 2015-05-31 20:00 America/New_York, in arrears",
  });
});

test("no line of text is wider than it may be, and no word is lost", () => {
  const words = fc.array(fc.string({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(words, fc.integer({ min: 60, max: 80 }), (given, width) => {
      const description = given.join(" ");
      const invoice = sampleInvoice({ lines: [{ description, quantity: "1" }], seller: { name: description } });
      const text = documentText(invoiceDocument({ ...invoice, memo: description }), width);
      const head = text.indexOf("\n\n");
      for (const line of text.slice(head).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
      const letters = (some: string) => some.replace(/\s/g, "");
      expect(letters(text)).toContain(letters(description));
    }),
  );
});

test("what is owed is the total less what was taken back, and nothing where it is paid, void or a draft", () => {
  const due = (state: InvoiceState, creditedMinor = 0n) => amountDue(sampleInvoice({ state, creditedMinor }));
  expect(due(InvoiceState.FINALIZED)).toBe(6_482n);
  expect(due(InvoiceState.UNCOLLECTIBLE, 482n)).toBe(6_000n);
  expect(due(InvoiceState.FINALIZED, 6_566n)).toBe(0n); // the drawn credit came back too
  for (const state of [InvoiceState.PAID, InvoiceState.VOID, InvoiceState.DRAFT]) expect(due(state)).toBe(0n);
});

test("a draft and a void invoice say so, and a draft is not due", () => {
  const draft = invoiceDocument(sampleInvoice({ number: "", state: InvoiceState.DRAFT, currency: "JPY" }));
  expect(draft).toMatchObject({ title: "Draft inv_1", stamp: "DRAFT" });
  expect(draft.sums.map(({ text }) => text)).not.toContain("Amount due");
  expect(draft.sums).toContainEqual({ text: "Total", amount: "6482 JPY", strong: true });
  expect(invoiceDocument(sampleInvoice({ state: InvoiceState.VOID }))).toMatchObject({ stamp: "VOID" });
  expect(invoiceDocument(sampleInvoice()).stamp).toBe("");
  expect(documentHtml(draft)).toContain('<div class="stamp">DRAFT</div>');
});

test("a credit note says what it takes back, and what becomes of it", () => {
  const note = create(CreditNoteSchema, {
    ...{ number: "CN-000001", invoiceNumber: "INV-000042", customerId: "user_123", currency: "USD", reason: "agreed" },
    ...{ amountMinor: 1_050n, taxMinor: 168n, dueReducedMinor: 1_000n, creditedMinor: 50n },
    lines: [{ position: 2, amountMinor: 1_000n, description: "API calls: 1000 units" }],
  });
  expect(documentText(creditNoteDocument(note, sampleInvoice()), 80)).toContain(`\
Line 2 of invoice INV-000042: API calls: 1000 units  10.00 USD
Share of discounts and tax                            0.50 USD
Tax in it                                             1.68 USD
Total taken back                                     10.50 USD
Not owed any more                                    10.00 USD
Becomes credit                                        0.50 USD`);
});

test("the command writes an invoice with its lines, steps and total to a file", async () => {
  const { api, tenant, clients } = await billed();
  await clients.invoice.markInvoicePaid({ id: "INV-000001", reference: "pi_1" });
  const { run, folder } = await createHere();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const show = (...args: string[]) => run(["invoices", "show", "INV-000001", ...args], { env });
  const both = await show("--html", "out.html", "--pdf", "out.pdf");
  expect(both).toEqual({ code: 0, stdout: "", stderr: "Written to out.html.\nWritten to out.pdf.\n" });
  expect((await readFile(join(folder, "out.pdf"))).subarray(0, 5).toString()).toBe("%PDF-");
  const html = await readFile(join(folder, "out.html"), "utf8");
  for (const part of [
    "<!doctype html>",
    "<title>Invoice INV-000001</title>",
    "<dt>Customer</dt><dd>ann</dd>",
    "<dt>State</dt><dd>paid</dd>",
    "<dt>Period</dt><dd>2015-05-01 00:00 to 2015-06-01 00:00 UTC, in arrears</dd>",
    "<dt>Paid</dt><dd>2015-06-01</dd>",
    '<td>API calls: 482 units</td><td class="number">482</td><td class="number">17.22 USD</td>',
    '<tr class="part"><td>tier above 100: 382 × 0.0333</td><td class="number"></td><td class="number">12.7206</td></tr>',
    '<tr class="strong"><td>Total</td><td class="number"></td><td class="number">37.22 USD</td></tr>',
  ]) {
    expect(html).toContain(part);
  }
  expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/);
  expect(await show("--html", "no/such/folder.html")).toMatchObject({ code: 1, stdout: "" });
  expect((await show("--pdf", ".")).stderr).toContain(".: is a folder");
});

test("no text becomes markup, whatever it holds", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom('"><script>', "</td>", "&lt;", "'x'", "<!--"),
  );
  const document = (text: string) =>
    documentHtml(
      invoiceDocument(
        create(InvoiceSchema, {
          ...{ number: text, customerId: text, plan: text, currency: "USD", memo: text, purchaseOrder: text },
          ...{ seller: { name: text, address: [text], taxId: text }, buyer: { name: text, email: text } },
          lines: [{ description: text, quantity: text, steps: [{ description: text }, { unitAmount: text }] }],
        }),
      ),
    );
  const plain = markup(document("x"));
  fc.assert(
    fc.property(
      hostile.filter((text) => text !== ""),
      (text) => {
        const tags = markup(document(text))?.filter((part) => part.startsWith("<"));
        expect(tags).toEqual(plain?.filter((part) => part.startsWith("<")));
      },
    ),
  );
  expect(document("<b>&\"'")).toContain("<dd>&lt;b&gt;&amp;&quot;&#39;</dd>");
});
