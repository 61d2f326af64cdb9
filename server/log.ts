import { pino } from "pino";
import { LogWriter } from "./log-writer.ts";
import { type Facts, writtenFacts } from "./observe/fact.ts";

/** JSON lines. Callers pass facts by name; nothing takes a whole request, row or header object. */
export interface Log {
  /** What only matters to who looks for a fault. */
  debug(event: string, facts?: Facts): void;
  info(event: string, facts?: Facts): void;
  warn(event: string, facts?: Facts): void;
  error(event: string, facts?: Facts): void;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where lines are written. */
export interface LogSink {
  write(line: string): void;
}

/** A log on stderr: stdout belongs to what a command answers. */
export function createLog(level: LogLevel, sink: LogSink = stderr()): Log {
  const out = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, sink);
  const at =
    (level: Exclude<LogLevel, "silent">): Log["info"] =>
    (event, facts) => {
      if (out.isLevelEnabled(level)) out[level](facts ? writtenFacts(facts) : {}, event);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

let toStderr: LogWriter | undefined;

/** One for the process, which writes what is left when that ends. */
function stderr(): LogSink {
  if (!toStderr) {
    const writer = new LogWriter(2);
    process.once("exit", () => writer.flush());
    toStderr = writer;
  }
  return toStderr;
}

/**
 * What of an unknown error may be told: the stack has our code's place; a database error has its code and the names of what
 * it is about. Of its words, and of any other error's, not what stands in quotes: that may be somebody's data.
 */
export function errorFacts(error: unknown): Facts {
  if (!(error instanceof Error)) return { error: "something was thrown that is no error" };
  const { message } = error;
  const own = (name: "code" | "constraint" | "table" | "column"): string | undefined => {
    const value: unknown = name in error ? Object.getOwnPropertyDescriptor(error, name)?.value : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const told = "severity" in error && TELLS_NO_DATA.test(own("code") ?? "");
  return {
    error: told ? message : message.replaceAll(QUOTED, '"…"'),
    error_code: own("code"),
    ...(told || "severity" in error
      ? { constraint: own("constraint"), table: own("table"), column: own("column") }
      : {}),
    stack: error.stack?.replace(message, ""),
  };
}

// PostgreSQL's classes that are of a connection, a statement or the server, and quote no row.
const TELLS_NO_DATA = /^(08|42|53|55|57)/;
const QUOTED = /"[^"]*("|$)|'[^']*('|$)|`[^`]*(`|$)/g;
