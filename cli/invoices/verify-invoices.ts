import type { Client } from "@connectrpc/connect";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { InvoiceService, VerifyInvoiceResponse } from "../../gen/usageflow/v1/invoice_service_pb.ts";

/** What came of verifying many invoices. */
export interface Verification {
  verified: number;
  /** The answers that differ, in the order of the invoices. */
  different: VerifyInvoiceResponse[];
}

// Calls under way at the same time: enough to keep a server busy, few enough to leave it time for others.
const CALLS_MAX = 4;
const PAGE_SIZE = 1_000;

/** Verifies invoices by id or number, some at a time. */
export async function verifyInvoices(
  service: Client<typeof InvoiceService>,
  ids: Iterable<string> | AsyncIterable<string>,
  onProgress: (verified: number) => void,
): Promise<Verification> {
  const queue = numbered(ids);
  const different: [number, VerifyInvoiceResponse][] = [];
  let verified = 0;
  const work = async () => {
    for await (const [place, id] of queue) {
      const answer = await service.verifyInvoice({ id });
      if (!answer.matches) different.push([place, answer]);
      onProgress(++verified);
    }
  };
  await Promise.all(Array.from({ length: CALLS_MAX }, work));
  return { verified, different: different.sort(([a], [b]) => a - b).map(([, answer]) => answer) };
}

/** The ids of all invoices that are no drafts, oldest first. */
export async function* finalIds(service: Client<typeof InvoiceService>): AsyncGenerator<string> {
  let pageToken = "";
  do {
    const page = await service.listInvoices({ pageSize: PAGE_SIZE, pageToken });
    for (const invoice of page.invoices) if (invoice.state !== InvoiceState.DRAFT) yield invoice.id;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

async function* numbered(ids: Iterable<string> | AsyncIterable<string>): AsyncGenerator<[number, string]> {
  let place = 0;
  for await (const id of ids) yield [place++, id];
}
