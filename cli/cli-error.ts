/** Kinds of failure that the CLI finds by itself. Those of the server are codes of gRPC too. */
export type CliErrorCode =
  | "usage"
  | "failed"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "unavailable"
  | "deadline_exceeded"
  | "interrupted"
  | "terminated";

/** What may be said besides. */
export interface CliErrorFacts {
  /** What to do next. */
  hint?: string;
  field?: string;
  reason?: string;
  requestId?: string;
}

/** A command cannot go on, and says why in a lower-case phrase. `errors.ts` tells it. */
export class CliError extends Error {
  override name = "CliError";
  readonly code: CliErrorCode;
  readonly facts: CliErrorFacts;

  constructor(code: CliErrorCode, message: string, facts: CliErrorFacts = {}, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.facts = facts;
  }
}
