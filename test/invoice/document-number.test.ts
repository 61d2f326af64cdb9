import fc from "fast-check";
import { expect, test } from "vitest";
import { documentNumber, sequenceOf } from "../../server/invoice/document-number.ts";
import { billed, use } from "../support/billing.ts";
import { listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const prefixes = fc.stringMatching(/^[A-Za-z0-9-]{0,15}[A-Za-z-]$/);
const sequences = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });

test("a number says its sequence, and no two prefixes and sequences make the same", () => {
  fc.assert(
    fc.property(prefixes, sequences, (prefix, sequence) => {
      const number = documentNumber(prefix, sequence);
      expect(sequenceOf(number)).toBe(sequence);
      expect(number.slice(0, prefix.length)).toBe(prefix);
      expect(number.slice(prefix.length)).toMatch(/^\d{6,19}$/);
    }),
  );
});

test.each(["", "INV-", "INV-00001", "000001", "INV_000001", "INV-000001 "])("%j is no number", (number) => {
  expect(sequenceOf(number)).toBeUndefined();
});

test("a new prefix is for invoices finalized from now on, and the count goes on", async () => {
  const { clients, ...harness } = await billed();
  const { tenant } = await clients.tenant.getTenant({});
  expect(tenant?.invoicePrefix).toBe("INV-");
  const updated = await clients.tenant.updateTenant({ invoicePrefix: "ACME-" });
  expect(updated.tenant).toMatchObject({ invoicePrefix: "ACME-", gracePeriod: tenant?.gracePeriod });
  await clients.tenant.updateTenant({}); // leaves it
  await use({ clients, ...harness }, "bob", "1", "2015-06-01T00:00:00Z");
  await harness.advanceTo("2015-07-01T01:00:00Z");
  expect((await listAllInvoices(clients)).map((invoice) => invoice.number)).toEqual([
    "INV-000001",
    "ACME-000002",
    "ACME-000003",
  ]);
  const { matches } = await clients.invoice.verifyInvoice({ id: "ACME-000002" });
  expect(matches).toBe(true);
});

test.each(["ACME-1", "ACME_", "A CME-", "ÄCME-", "A-CME-OF-THE-LONG-NAME-"])("%j is no prefix", async (prefix) => {
  const { clients } = await billed([]);
  expect(await refused(clients.tenant.updateTenant({ invoicePrefix: prefix }))).toMatchObject({
    field: "invoice_prefix",
  });
});
