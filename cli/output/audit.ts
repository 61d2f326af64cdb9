import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AuditEntry } from "../../gen/usageflow/v1/audit_pb.ts";
import type { Column } from "./table.ts";
import { moment, printable } from "./text.ts";

/** The columns of the audit log. */
export const auditColumns: Column<AuditEntry>[] = [
  { title: "ENTRY", value: (entry) => entry.sequence.toString(), right: true },
  { title: "WHEN", value: (entry) => moment(entry.recordedAt) },
  { title: "ACTION", value: (entry) => entry.action },
  { title: "SUBJECT", value: (entry) => entry.subject, cut: "last" },
  { title: "CHANGE", value: changeText, cut: true },
  { title: "BY", value: (entry) => entry.actor || "an unknown key", spare: true },
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
  if (!before && !after) return ""; // it was done, and left nothing that is another now, as an export
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
