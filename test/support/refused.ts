import { type Code, ConnectError } from "@connectrpc/connect";
import type { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { detailOf } from "../../server/rpc/errors.ts";

/** Why a call was refused, or undefined when it was not. */
export async function refused(
  call: Promise<unknown>,
): Promise<{ code: Code; reason: ErrorReason; field: string } | undefined> {
  try {
    await call;
    return undefined;
  } catch (reason) {
    const error = ConnectError.from(reason);
    return { code: error.code, ...detailOf(error) };
  }
}
