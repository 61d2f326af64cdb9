import type { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";

/** Why something was refused, by name: `UNKNOWN_METRIC`. The contract's error.proto says what each means. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;
