import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AuditEntry } from "../../gen/usageflow/v1/audit_pb.ts";
import type { Column } from "./table.ts";
import { moment, printable } from "./text.ts";

/** The columns of the audit log: when, who, what and on what on any terminal, and how it changed where there is room. */
export const auditColumns: Column<AuditEntry>[] = [
  { title: "ENTRY", value: (entry) => entry.sequence.toString(), right: true },
  { title: "WHEN", value: (entry) => moment(entry.recordedAt) },
  { title: "BY", value: (entry) => entry.actor || "unknown key", cut: true },
  { title: "ACTION", value: (entry) => entry.action },
  { title: "SUBJECT", value: (entry) => entry.subject || refusalText(entry), cut: true },
  { title: "CHANGE", value: changeText, cut: true, spare: true },
  { title: "FROM", value: (entry) => entry.address, spare: true },
];

/** An entry on one line. */
export function auditLine(entry: AuditEntry): string {
  return auditColumns
    .map((column) => printable(column.value(entry)))
    .filter((text) => text !== "")
    .join("  ");
}

/** Why it was refused. It stands where others have their subject: nothing came of it, and no terminal is to hide that. */
function refusalText({ refusal, leftOutCount }: AuditEntry): string {
  if (refusal === "") return "";
  return leftOutCount > 0n ? `refused: ${refusal}, after ${leftOutCount} more` : `refused: ${refusal}`;
}

/** What changed, such as `state: finalized -> void`. */
function changeText({ refusal, before, after }: AuditEntry): string {
  if (refusal !== "") return "";
  if (!before && !after) return ""; // it was done, and left nothing that is another now, as an export
  if (!before) return "made";
  if (!after) return "deleted";
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.map((name) => fieldText(name, before, after)).join(", ");
}

function fieldText(name: string, before: JsonObject, after: JsonObject): string {
  return `${name}: ${valueText(name, before[name])} -> ${valueText(name, after[name])}`;
}

function valueText(name: string, value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  return typeof value === "object" ? JSON.stringify(value) : choiceText(name, String(value));
}

/** `INVOICE_STATE_PAID` of a field `state` is `paid`, as everywhere else: a choice's name begins with its field's. */
function choiceText(name: string, value: string): string {
  const field = name.replace(/[A-Z]/g, "_$&").toUpperCase();
  const [, choice] = new RegExp(`^(?:[A-Z]+_)*${field}_([A-Z_]+)$`).exec(value) ?? [];
  return choice ? choice.toLowerCase().replaceAll("_", " ") : value;
}
