import type { Finding, Tally } from "./campaign.ts";

const BODY_MAX = 10_000;

/** A finding as one line: what was sent, and what came back. */
export function told({ target, number, why, made, answer }: Finding): string {
  const { kind, way, headers } = made;
  const body = typeof made.body === "string" ? made.body : `base64:${Buffer.from(made.body).toString("base64")}`;
  const got = answer && { code: answer.code, reason: answer.reason, field: answer.field, message: answer.message };
  return JSON.stringify({ target, case: number, why, kind, way, headers, body: body.slice(0, BODY_MAX), got });
}

const MEGABYTE = 1024 * 1024;

/** Of the server: live objects after a collection, and all that the process holds. */
export interface Memory {
  heap: number;
  resident: number;
}

export const HEAD = row(["RPC", "cases", "ok", "invalid", "other", "slowest", "heap", "resident", "findings"]);

/** A line of the table: how a target's cases were answered, and what the server holds after them. */
export function line({ target, cases, codes, slowestMs, findings }: Tally, { heap, resident }: Memory): string {
  const ok = codes.get("ok") ?? 0;
  const invalid = codes.get("invalid_argument") ?? 0;
  const megabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;
  const numbers = [
    cases,
    ok,
    invalid,
    cases - ok - invalid,
    `${slowestMs.toFixed(0)} ms`,
    megabytes(heap),
    megabytes(resident),
  ];
  return row([target, ...numbers, findings.length]);
}

function row([name, ...cells]: (string | number)[]): string {
  return String(name).padEnd(26) + cells.map((cell) => String(cell).padStart(10)).join("");
}
