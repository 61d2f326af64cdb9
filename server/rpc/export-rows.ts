import type { Message } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { auditExport } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { keyOfToken, type PageScope, tokenOfKey } from "./page.ts";

// Rows that are read at a time, which is what a stream holds in memory; and those in one message, of which the largest that
// there are stay below what clients take.
const PAGE_SIZE = 1_000;
const MESSAGE_SIZE = 100;

/** What every request for an export has. */
export type ExportRequest = Message & {
  start?: Timestamp | undefined;
  end?: Timestamp | undefined;
  resumeToken: string;
};

/** How rows of one kind are exported. */
export interface RowExport<Row, Answer> {
  /** What they are, such as `usage_event`. */
  list: string;
  /** The next of them, in an order in which what is there stays where it is: at most so many, after a place. */
  read: (tx: Tx, after: string | undefined, limit: number) => Promise<Row[]>;
  /** The place of one in that order. */
  placeOf: (row: Row) => string;
  toAnswer: (rows: readonly Row[], resumeToken: string) => Answer;
}

/**
 * Streams rows, and writes into the audit log that somebody has them. The next page is read when the client has taken the
 * one before, in a transaction of its own: a slow client holds neither memory nor a snapshot.
 */
export async function* exportRows<Row, Answer>(
  app: App,
  caller: Caller,
  request: ExportRequest,
  { list, read, placeOf, toAnswer }: RowExport<Row, Answer>,
  ended: AbortSignal,
): AsyncIterable<Answer> {
  const { tenantId } = caller;
  const scope = exportScope(tenantId, list, request);
  let after = keyOfToken(app, scope, request.resumeToken, "resume_token");
  await auditExport(app, caller, request);
  for (let full = true; full && !ended.aborted; ) {
    const page = await inTenant(app.db, tenantId, (tx) => read(tx, after, PAGE_SIZE));
    full = page.length === PAGE_SIZE;
    for (let at = 0; at < page.length && !ended.aborted; at += MESSAGE_SIZE) {
      const rows = page.slice(at, at + MESSAGE_SIZE);
      after = placeOf(rows.at(-1) as Row);
      yield toAnswer(rows, tokenOfKey(app, scope, after));
    }
  }
}

/** What a resume token is good for: the same rows, of the same span. */
export function exportScope(tenantId: string, list: string, { start, end }: ExportRequest): PageScope {
  const text = (time: Timestamp | undefined) => (time ? `${time.seconds}.${time.nanos}` : "");
  return { tenantId, list: `export ${list} ${text(start)} ${text(end)}` };
}
