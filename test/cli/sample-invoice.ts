import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Invoice,
  InvoiceKind,
  InvoiceLineKind,
  InvoiceSchema,
  InvoiceState,
} from "../../gen/usageflow/v1/invoice_pb.ts";

const at = (time: string) => timestampFromDate(new Date(time));

/** A finalized invoice with all that a document can show, and with what is given instead. */
export function sampleInvoice(given: Exclude<MessageInitShape<typeof InvoiceSchema>, Invoice> = {}): Invoice {
  return create(InvoiceSchema, {
    ...{ id: "inv_1", number: "INV-000042", customerId: "user_123", state: InvoiceState.FINALIZED, currency: "USD" },
    ...{ kind: InvoiceKind.IN_ARREARS, plan: "pro", planVersion: 1, totalMinor: 6_482n, subtotalMinor: 6_131n },
    creditedMinor: 500n,
    periodStart: at("2015-05-01T00:00:00Z"),
    periodEnd: at("2015-06-01T00:00:00Z"),
    createdAt: at("2015-06-01T00:00:00Z"),
    finalizedAt: at("2015-06-01T01:00:00Z"),
    dueAt: at("2015-07-01T01:00:00Z"),
    seller: { name: "Acme GmbH", address: ["Hauptstr. 1", "10115 Berlin"], taxId: "DE123456789" },
    buyer: { name: "Łódź Engines sp. z o.o.", address: ["東京支社"], email: "ap@lodz.test" },
    purchaseOrder: "PO 7",
    memo: "Please name the invoice when you pay.",
    lines: [
      { description: "Platform fee", quantity: "1", amountMinor: 2_000n, steps: [{ quantity: "1", unitAmount: "20" }] },
      {
        ...{ description: "API calls: 1000 units", quantity: "1000", amountMinor: 3_447n },
        steps: [
          { description: "tier up to 100", quantity: "100", unitAmount: "0.045", amount: "4.5" },
          { description: "tier above 100", quantity: "900", unitAmount: "0.0333", amount: "29.97" },
        ],
      },
      {
        ...{ description: "Egress: 76 packages of 1000000 byte", quantity: "75123456", amountMinor: 684n },
        steps: [{ description: "package", quantity: "76", unitAmount: "0.09", amount: "6.84" }],
      },
      { kind: InvoiceLineKind.DISCOUNT, description: "Welcome (10%)", amountMinor: -613n },
      {
        ...{ kind: InvoiceLineKind.TAX, description: "VAT (19%)", amountMinor: 1_048n },
        steps: [{ quantity: "55.18", unitAmount: "0.19", amount: "10.4842", description: "19% of 55.18" }],
      },
      {
        ...{ kind: InvoiceLineKind.CREDIT_DRAWN, description: "Paid with credit", amountMinor: -84n },
        steps: [{ quantity: "1", amount: "-0.84", description: "goodwill" }],
      },
    ],
    taxes: [
      { name: "VAT", percent: "19", amountMinor: 1_048n },
      { name: "Levy", percent: "1", amountMinor: 55n, inclusive: true },
    ],
    ...given,
  });
}
