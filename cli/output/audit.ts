import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AuditEntry } from "../../gen/usageflow/v1/audit_pb.ts";
import type { Column } from "./table.ts";
import { printable, time } from "./text.ts";

/** The columns of the audit log. */
export const auditColumns: Column<AuditEntry>[] = [
  { title: "ENTRY", value: (entry) => entry.sequence.toString(), right: true },
  { title: "WHEN", value: (entry) => time(entry.recordedAt) },
  { title: "ACTION", value: (entry) => entry.action },
  { title: "SUBJECT", value: (entry) => entry.subject },
  { title: "CHANGE", value: changeText, cut: true },
  { title: "BY", value: (entry) => entry.actor || "an unknown key" },
  { title: "FROM", value: (entry) => entry.address, spare: true },
];

/** An entry on one line. */
export function auditLine(entry: AuditEntry): string {
  return auditColumns
    .map((column) => printable(column.value(entry)))
    .filter((text) => text !== "")
    .join("  ");
}

/** What changed, such as `state: finalized -> void`; or why it was refused. */
function changeText({ refusal, leftOutCount, before, after }: AuditEntry): string {
  if (refusal !== "")
    return leftOutCount > 0n ? `refused: ${refusal}, after ${leftOutCount} more` : `refused: ${refusal}`;
  if (!before) return "made";
  if (!after) return "deleted";
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.map((name) => fieldText(name, before, after)).join(", ");
}

function fieldText(name: string, before: JsonObject, after: JsonObject): string {
  return `${name}: ${valueText(before[name])} -> ${valueText(after[name])}`;
}

function valueText(value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
