import type { Queue, ServerProcess, Status } from "../../server/status.ts";
import { type Column, facts, table } from "./table.ts";
import { printable } from "./text.ts";

const ERRORS_MAX = 10;

/** How an installation does, for people: what is wrong comes first. */
export function statusText(status: Status): string {
  const { now, version, schema, processes, queues, errors, problems } = status;
  const words = problems.length === 0 ? ["All is well."] : problems.map((problem) => `PROBLEM  ${printable(problem)}`);
  const parts = [
    words.join("\n"),
    facts({ Version: version, Schema: `${schema.at || "none"}${schemaWords(status)}` }),
    processes.length > 0 ? table(processColumns(now), processes) : "No process is there.",
    queues.length > 0 ? table(queueColumns(now), queues) : "",
    errors.length > 0
      ? table(
          [
            { title: "LAST ERROR", value: (one) => `${age(now, one.at)} ago` },
            { title: "PROCESS", value: (one) => one.process, cut: "last" },
            { title: "LOOP", value: (one) => one.loop },
            { title: "ERROR", value: (one) => one.error, cut: true },
          ],
          errors.slice(0, ERRORS_MAX),
        )
      : "",
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

/** The same for programs. */
export function statusJson({ now, version, schema, processes, queues, errors, problems }: Status) {
  const seconds = (at: Date | null) => (at ? (now.getTime() - at.getTime()) / 1_000 : undefined);
  return {
    problems,
    version,
    schema,
    processes,
    queues: queues.map(({ name, depth, oldest }) => ({ name, depth, oldest, oldestSeconds: seconds(oldest) })),
    errors,
  };
}

function schemaWords({ schema }: Status): string {
  if (schema.missing.length > 0) return `, and this program knows ${schema.missing.length} more`;
  return schema.unknown.length > 0 ? ", newer than this program" : ", as this program knows it";
}

function processColumns(now: Date): Column<ServerProcess>[] {
  return [
    { title: "PROCESS", value: ({ host, pid }) => `${host}:${pid}`, cut: "last" },
    { title: "ROLE", value: ({ role }) => role },
    { title: "VERSION", value: ({ version }) => version },
    {
      title: "STATE",
      value: ({ there, problems }) => (there ? (problems.length > 0 ? "not ready" : "ready") : "gone"),
    },
    { title: "SEEN", value: ({ seenAt }) => `${age(now, seenAt)} ago` },
    { title: "UP", value: ({ startedAt }) => age(now, startedAt) },
    { title: "URL", value: ({ url }) => url, spare: true },
  ];
}

function queueColumns(now: Date): Column<Queue>[] {
  return [
    { title: "WAITS", value: ({ name }) => name },
    { title: "DEPTH", value: ({ depth }) => `${depth}${depth >= 100_000 ? "+" : ""}`, right: true },
    { title: "OLDEST", value: ({ oldest }) => (oldest ? age(now, oldest) : ""), right: true },
  ];
}

function age(now: Date, then: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
