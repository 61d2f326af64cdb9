import { createHmac, timingSafeEqual } from "node:crypto";
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

/** One page of a list: where it begins, and how much to read for it. */
export interface Page {
  /** The key of the last row before it; undefined for the first page. */
  readonly after: string | undefined;
  /** How many rows to read: one more than it holds, which tells whether another page follows. */
  readonly limit: number;
  /**
   * Cuts rows that were read with `limit` to the page, and makes the token of the next one from the last row's key. The
   * token carries a keyed tag of tenant and list, so it cannot be forged or carried elsewhere.
   */
  cut<Row>(rows: readonly Row[], keyOf: (row: Row) => string): { rows: Row[]; nextPageToken: string };
}

/** The page that a request asks for; a size of 0 means the default. Refuses tokens of another list or tenant. */
export function openPage(app: App, scope: PageScope, request: { pageSize: number; pageToken: string }): Page {
  const size = request.pageSize || SIZE_DEFAULT;
  return {
    after: keyOfToken(app, scope, request.pageToken),
    limit: size + 1,
    cut: (rows, keyOf) => {
      const page = rows.slice(0, size);
      const last = page.at(-1);
      if (rows.length <= size || last === undefined) return { rows: page, nextPageToken: "" };
      return { rows: page, nextPageToken: tokenOfKey(app, scope, keyOf(last)) };
    },
  };
}

/** A token for the key of a row. */
export function tokenOfKey(app: App, scope: PageScope, key: string): string {
  return Buffer.concat([tagsOf(app, scope, key)[0] as Buffer, Buffer.from(key)]).toString("base64url");
}

/** The key in a token; undefined for an empty one. Refuses tokens of another list or tenant. */
export function keyOfToken(app: App, scope: PageScope, token: string, field = "page_token"): string | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const key = bytes.subarray(TAG_BYTES).toString("utf8");
  const sent = bytes.subarray(0, TAG_BYTES);
  if (bytes.length <= TAG_BYTES || !tagsOf(app, scope, key).some((tag) => timingSafeEqual(tag, sent))) {
    throw invalid(
      field,
      `this ${field.replace("_", " ")} does not belong to this list; begin again without one`,
      ErrorReason.PAGE_TOKEN_INVALID,
    );
  }
  return key;
}

/** Of every pepper, that of today first: a token outlives a change of it. */
function tagsOf(app: App, scope: PageScope, key: string): Buffer[] {
  const text = `${scope.tenantId}|${scope.list}|${key}`;
  const tagOf = (secret: Buffer) => createHmac("sha256", secret).update(text).digest().subarray(0, TAG_BYTES);
  return app.secrets.hashesOf("page token").map(({ hash }) => tagOf(hash));
}
