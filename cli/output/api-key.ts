import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import type { ApiKey } from "../../gen/usageflow/v1/tenant_pb.ts";
import { facts } from "./table.ts";
import { time, word } from "./text.ts";

/** An API key that was just made, with its secret. */
export function madeKeyText({ apiKey, secret }: { apiKey?: ApiKey | undefined; secret: string }): string {
  return facts({
    Id: apiKey?.id ?? "",
    Name: apiKey?.name ?? "",
    Role: word(RoleSchema, apiKey?.role ?? Role.UNSPECIFIED),
    ...(apiKey?.expiresAt ? { Expires: time(apiKey.expiresAt) } : {}),
    ...(apiKey && apiKey.allowedCidrs.length > 0 ? { From: apiKey.allowedCidrs.join(" ") } : {}),
    Key: secret,
  });
}

/** Whether a key works. */
export function keyState(key: ApiKey): string {
  if (key.revokedAt) return "revoked";
  if (key.expiresAt && timestampDate(key.expiresAt) <= new Date()) return "expired";
  return key.replacedBy ? "rotated" : "good";
}
