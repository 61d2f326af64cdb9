import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { invoiceHtml } from "../../cli/output/invoice-html.ts";
import { InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { billed } from "../support/billing.ts";
import { createPlace } from "./run-cli.ts";

/** Every tag and entity of a document, in order: what is not text. */
const markup = (html: string) => html.match(/<[^>]*>|&[a-z#0-9]+;/g);

test("the command writes an invoice with its lines, steps and total to a file", async () => {
  const { api, tenant, clients } = await billed();
  await clients.invoice.markInvoicePaid({ id: "INV-000001", reference: "pi_1" });
  const { run, folder } = await createPlace();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const show = (...args: string[]) => run(["invoices", "show", "INV-000001", ...args], { env });
  expect(await show("--html", "out.html")).toEqual({ code: 0, stdout: "", stderr: "Written to out.html.\n" });
  const html = await readFile(join(folder, "out.html"), "utf8");
  for (const part of [
    "<!doctype html>",
    "<title>Invoice INV-000001</title>",
    "<dt>Customer</dt><dd>ann</dd>",
    "<dt>State</dt><dd>paid</dd>",
    "<dt>Period</dt><dd>2015-05-01 00:00 to 2015-06-01 00:00 UTC, in arrears</dd>",
    "<dt>Paid</dt><dd>2015-06-01 01:00 UTC</dd>",
    '<td>API calls: 482 units</td><td class="number">482</td><td class="number">17.22 USD</td>',
    '<tr class="step"><td>tier above 100: 382 × 0.0333</td><td class="number"></td><td class="number">12.7206</td></tr>',
    '<tfoot><tr><td>Total</td><td></td><td class="number">37.22 USD</td></tr></tfoot>',
  ]) {
    expect(html).toContain(part);
  }
  expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/);
  expect(await show("--html", "no/such/folder.html")).toMatchObject({ code: 1, stdout: "" });
});

test("no text becomes markup, whatever it holds", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom('"><script>', "</td>", "&lt;", "'x'", "<!--"),
  );
  const document = (text: string) =>
    invoiceHtml(
      create(InvoiceSchema, {
        ...{ number: text, customerId: text, plan: text, currency: "USD" },
        lines: [{ description: text, quantity: text, steps: [{ description: text }, { unitAmount: text }] }],
      }),
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

test("a draft is named as one", () => {
  const html = invoiceHtml(create(InvoiceSchema, { id: "inv_1", currency: "JPY", totalMinor: 5n }));
  expect(html).toContain("<h1>Draft inv_1</h1>");
  expect(html).toContain('<td class="number">5 JPY</td>');
  expect(html).not.toContain("Finalized");
});
