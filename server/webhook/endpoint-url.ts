import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { invalid } from "../rpc/errors.ts";
import { isLookupError, type Reach } from "./look-up.ts";
import { RefusedAddressError, resolveTarget } from "./resolve-target.ts";

/**
 * Refuses a URL that webhooks cannot, or must not, be sent to. The WHATWG parser turns every notation of an address into
 * the usual one first. A name that does not resolve is let through: it may soon, and each delivery checks it again.
 */
export async function checkUrl(text: string, reach: Reach): Promise<void> {
  const url = URL.parse(text);
  if (!url) throw invalid("url", "url is not a URL");
  if (url.username || url.password) throw invalid("url", "url must not contain a user or password");
  if (text.includes("#")) throw invalid("url", "url must not contain a fragment");
  try {
    await resolveTarget(url.hostname, reach);
  } catch (error) {
    if (error instanceof RefusedAddressError) throw invalid("url", error.message, ErrorReason.ADDRESS_REFUSED);
    if (!isLookupError(error)) throw error;
  }
}
