/** What is told of an error: the `error` object under `--json`. A field that does not apply is empty. */
export interface Failure {
  /** A code of gRPC in words (`not_found`), or `usage`, `failed`, `interrupted`. Decides the exit code. */
  code: string;
  /** Reason of the contract, such as `UNKNOWN_METRIC`. */
  reason: string;
  message: string;
  /** Path of the field at fault in the request. */
  field: string;
  /** Names the call in the server's log. */
  requestId: string;
  /** What to do next. */
  hint: string;
}

/** A failure of which nothing is known. */
export const NONE: Failure = { code: "failed", reason: "", message: "", field: "", requestId: "", hint: "" };
