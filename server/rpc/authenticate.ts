import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { readSecret, roleOf } from "../tenant/api-key.ts";
import type { Caller } from "./caller.ts";
import { forbidden, unauthenticated } from "./errors.ts";

// How long a key that was found good is taken without asking again: a revoked key works no longer than this anywhere.
const CACHE_MS = 1_000;
// More keys than this in use within a second, and the cache begins anew.
const CACHE_KEYS_MAX = 10_000;

/** Finds out who is calling. */
export interface Authenticator {
  /** The caller of a key, or a refusal. `key` is undefined when none was sent. */
  authenticate(key: string | undefined): Caller | Promise<Caller>;
}

/** An authenticator with a memory of one second. */
export function createAuthenticator(app: App): Authenticator {
  const cache = new Map<string, { caller: Caller; until: number }>();
  const remember = (key: string, caller: Caller) => {
    if (cache.size >= CACHE_KEYS_MAX) cache.clear();
    cache.set(key, { caller, until: app.clock.now().getTime() + CACHE_MS });
    return caller;
  };
  return {
    authenticate(key) {
      if (!key) {
        throw unauthenticated(
          ErrorReason.KEY_MISSING,
          "no API key: send it as x-usageflow-api-key, or as authorization: Bearer",
        );
      }
      const known = cache.get(key);
      if (known && known.until > app.clock.now().getTime()) return known.caller;
      return lookUp(app, key).then((caller) => remember(key, caller));
    },
  };
}

async function lookUp(app: App, key: string): Promise<Caller> {
  const named = readSecret(key);
  if (!named) {
    throw unauthenticated(ErrorReason.KEY_MALFORMED, "this is no API key: its form or checksum is wrong");
  }
  if (app.config.emulator && named.kind === "LIVE") {
    throw forbidden("this is an emulator: it takes test keys (uf_test_...) only", ErrorReason.LIVE_KEY_REFUSED);
  }
  const row = await inTenant(app.db, named.tenantId, (tx) =>
    tx
      .selectFrom("api_key")
      .innerJoin("tenant", "tenant.tenant_id", "api_key.tenant_id")
      .select(["api_key.id", "api_key.role", "tenant.kind"])
      .where("api_key.tenant_id", "=", named.tenantId)
      .where("api_key.hash", "=", app.secrets.hashKey(key))
      .where("api_key.revoked_at", "is", null)
      .executeTakeFirst(),
  );
  if (!row) throw unauthenticated(ErrorReason.KEY_UNKNOWN, "this API key is not known, or was revoked");
  return {
    tenantId: named.tenantId,
    kind: row.kind === "LIVE" ? "LIVE" : "TEST",
    keyId: row.id,
    role: roleOf(row.role),
  };
}

/** The API key that a request carries, from either of its two headers. */
export function keyFrom(header: (name: string) => string | null | undefined): string | undefined {
  const own = header("x-usageflow-api-key");
  if (own) return own;
  const bearer = /^Bearer +(\S+)$/i.exec(header("authorization") ?? "");
  return bearer?.[1];
}
