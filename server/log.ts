import { pino } from "pino";

/** JSON lines. Callers pass facts by name; nothing takes a whole request, row or header object. */
export interface Log {
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}

/** Facts of a log line: plain values. */
export type LogFacts = Record<string, string | number | boolean | undefined>;
export type LogLevel = "info" | "warn" | "error" | "silent";

/** A log on stderr: stdout belongs to what a command answers. */
export function createLog(level: LogLevel): Log {
  // Not in step with the caller: a line is written when the event loop has time, with those that wait beside it.
  const destination = pino.destination({ dest: 2, sync: false });
  const out = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    info: (event, facts) => out.info(facts ?? {}, event),
    warn: (event, facts) => out.warn(facts ?? {}, event),
    error: (event, facts) => out.error(facts ?? {}, event),
  };
}

/** What of an unknown error may be logged. The stack has our code's place; database errors add their code. */
export function errorFacts(error: unknown): { error: string; stack?: string; code?: string } {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return {
    error: error.message,
    ...(error.stack ? { stack: error.stack } : {}),
    ...(code ? { code } : {}),
  };
}
