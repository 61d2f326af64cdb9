import { createHmac } from "node:crypto";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { invalid } from "./errors.ts";

const TAG_BYTES = 12;
const SIZE_DEFAULT = 100;

/** What a page token is good for: one method's list, of one tenant. */
export interface PageScope {
  readonly tenantId: string;
  /** What is listed, such as `invoice`. */
  readonly list: string;
}

/** The size that a request asks for; 0 means the default. */
export function pageSize(request: { pageSize: number }): number {
  return request.pageSize || SIZE_DEFAULT;
}

/** The key after which the page begins, or undefined for the first page. Refuses tokens of another list or tenant. */
export function pageStart(app: App, scope: PageScope, request: { pageToken: string }): string | undefined {
  if (request.pageToken === "") return undefined;
  const bytes = Buffer.from(request.pageToken, "base64url");
  const key = bytes.subarray(TAG_BYTES).toString("utf8");
  if (bytes.length <= TAG_BYTES || !tagOf(app, scope, key).equals(bytes.subarray(0, TAG_BYTES))) {
    throw invalid(
      "page_token",
      "this page token does not belong to this list; begin again without one",
      ErrorReason.PAGE_TOKEN_INVALID,
    );
  }
  return key;
}

/**
 * Cuts rows that were read with `limit size + 1` to a page, and makes the token of the next one from the last row's
 * key. The token carries a keyed tag of tenant and list, so it cannot be forged or carried elsewhere.
 */
export function pageOf<Row>(
  app: App,
  scope: PageScope,
  rows: readonly Row[],
  size: number,
  keyOf: (row: Row) => string,
): { rows: Row[]; nextPageToken: string } {
  const page = rows.slice(0, size);
  const last = page.at(-1);
  if (rows.length <= size || last === undefined) return { rows: page, nextPageToken: "" };
  const key = keyOf(last);
  const token = Buffer.concat([tagOf(app, scope, key), Buffer.from(key)]);
  return { rows: page, nextPageToken: token.toString("base64url") };
}

function tagOf(app: App, scope: PageScope, key: string): Buffer {
  const secret = app.secrets.hashKey("page token");
  return createHmac("sha256", secret).update(`${scope.tenantId}|${scope.list}|${key}`).digest().subarray(0, TAG_BYTES);
}
