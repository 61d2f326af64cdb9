import { appendFileSync } from "node:fs";
import pg from "pg";

// Comes before tests, and writes down every statement that the server sends under its two roles, a line of JSON each: see
// journey/side-by-side.test.ts.

const file = process.env.USAGEFLOW_TEST_STATEMENTS ?? "";
const ROLES = ["usageflow_app", "usageflow_worker"];

type Query = (this: pg.Client & { user?: string }, ...args: unknown[]) => unknown;
const prototype = pg.Client.prototype as unknown as { query: Query };
const send = prototype.query;
const seen = new Set<string>();

prototype.query = function (...args) {
  const [query] = args as [string | { text?: string }];
  const text = (typeof query === "string" ? query : (query?.text ?? ""))
    .replaceAll(/--.*$/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  const role = this.user ?? "";
  // One of each, however many rows it was about.
  const key = `${role} ${shapeOf(text)}`;
  const isOfWeek = /_20\d{6}/.test(text); // of a partition that another database does not have
  if (
    file !== "" &&
    !isOfWeek &&
    ROLES.includes(role) &&
    /^(with|select|insert|update|delete)\b/i.test(text) &&
    !seen.has(key)
  ) {
    seen.add(key);
    appendFileSync(file, `${JSON.stringify({ role, text })}\n`);
  }
  return send.apply(this, args);
};

/** A statement without the numbers of its parameters, and with one for each list of them. */
function shapeOf(text: string): string {
  return text
    .replaceAll(/\$\d+/g, "$")
    .replaceAll(/(\$(::\w+)?, )+\$/g, "$")
    .replaceAll(/(\(\$(::\w+)?\)(, )?)+/g, "($)");
}
