import type { BlockList } from "node:net";
import type { ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { contains, ranges } from "../cidr.ts";
import { inTenant } from "../db/database.ts";
import { readSecret, roleOf } from "../tenant/api-key.ts";
import { KeyUses } from "../tenant/key-use.ts";
import type { Caller } from "./caller.ts";
import { forbidden, unauthenticated } from "./errors.ts";
import { callerAddress, type Origin } from "./origin.ts";

// How long a key that was found good is taken without asking again: a revoked key works no longer than this anywhere.
const CACHE_MS = 1_000;
// More keys than this in use within a second, and the cache begins anew.
const CACHE_KEYS_MAX = 10_000;

/** Finds out who is calling. */
export interface Authenticator {
  /** The caller of a key, or a refusal. `key` is undefined when none was sent. */
  authenticate(key: string | undefined, origin: Origin): Caller | Promise<Caller>;
  /** The address that calls of an origin come from. Empty: a trusted proxy says what is none. */
  addressOf(origin: Origin): string;
  /** Returns when all that is noted of keys is written. */
  close(): Promise<void>;
}

/** A key that was found good. */
interface GoodKey {
  caller: Caller;
  /** Undefined: from everywhere. */
  allowed: BlockList | undefined;
  /** Process time. */
  until: number;
}

/** An authenticator with a memory of one second. */
export function createAuthenticator(app: App): Authenticator {
  const cache = new Map<string, GoodKey>();
  const proxies = ranges(...app.config.trustedProxies);
  const uses = new KeyUses(app);
  const remember = (key: string, found: GoodKey) => {
    if (cache.size >= CACHE_KEYS_MAX) cache.clear();
    cache.set(key, found);
    return found;
  };
  const addressOf = (origin: Origin) => callerAddress(proxies, origin) ?? "";
  const admit = ({ caller, allowed }: GoodKey, origin: Origin): Caller => {
    if (!allowed) return caller;
    const address = addressOf(origin);
    if (address && contains(allowed, address)) return caller;
    const message = `this API key may not be used from ${address || "where you are"}`;
    throw ownedBy(caller, forbidden(message, ErrorReason.KEY_ADDRESS_REFUSED));
  };
  return {
    authenticate(key, origin) {
      if (!key) {
        throw unauthenticated(
          ErrorReason.KEY_MISSING,
          "no API key: send it as x-usageflow-api-key, or as authorization: Bearer",
        );
      }
      const known = cache.get(key);
      if (known && known.until > app.clock.now().getTime()) return admit(known, origin);
      return lookUp(app, uses, key).then((found) => admit(remember(key, found), origin));
    },
    addressOf,
    close: () => uses.written(),
  };
}

/**
 * Asks the database, in the same way whether the tenant exists, the key is wrong or was revoked: one statement, over an
 * index of keyed hashes, whose time tells nothing of any key.
 */
async function lookUp(app: App, uses: KeyUses, key: string): Promise<GoodKey> {
  const asked = app.clock.now(); // before the look: a key that is revoked after it is known no longer than a second
  const named = readSecret(key);
  if (!named) {
    throw unauthenticated(ErrorReason.KEY_MALFORMED, "this is no API key: its form or checksum is wrong");
  }
  if (app.config.emulator && named.kind === "LIVE") {
    throw forbidden("this is an emulator: it takes test keys (uf_test_...) only", ErrorReason.LIVE_KEY_REFUSED);
  }
  const { tenantId } = named;
  const hashes = app.secrets.hashesOf(key);
  const row = await inTenant(app.db, tenantId, (tx) =>
    tx
      .selectFrom("api_key")
      .innerJoin("tenant", "tenant.tenant_id", "api_key.tenant_id")
      .select(["api_key.id", "api_key.role", "api_key.expires_at", "api_key.allowed_cidrs", "api_key.last_used_at"])
      .select("tenant.kind")
      .where("api_key.tenant_id", "=", tenantId)
      .where(
        "api_key.hash",
        "in",
        hashes.map(({ hash }) => hash),
      )
      .where("api_key.revoked_at", "is", null)
      .executeTakeFirst(),
  );
  if (!row) throw unauthenticated(ErrorReason.KEY_UNKNOWN, "this API key is not known, or was revoked");
  const kind = row.kind === "LIVE" ? "LIVE" : "TEST";
  const caller: Caller = { tenantId, kind, keyId: row.id, role: roleOf(row.role) };
  const { expires_at } = row;
  if (expires_at && expires_at <= asked) {
    const message = `this API key expired at ${expires_at.toISOString()}`;
    throw ownedBy(caller, unauthenticated(ErrorReason.KEY_EXPIRED, message));
  }
  uses.note({ tenantId, id: row.id, at: asked, newest: hashes[0] }, row.last_used_at);
  return {
    caller,
    allowed: row.allowed_cidrs.length > 0 ? ranges(...row.allowed_cidrs) : undefined,
    until: Math.min(asked.getTime() + CACHE_MS, expires_at?.getTime() ?? Number.POSITIVE_INFINITY),
  };
}

// Beside the errors: those go out to callers, and this is for the audit log alone.
const owners = new WeakMap<Error, Caller>();

function ownedBy(caller: Caller, error: ConnectError): ConnectError {
  owners.set(error, caller);
  return error;
}

/** Whose key was refused, where that is known: it has expired, or may not be used from where the call came. */
export function ownerOf(error: unknown): Caller | undefined {
  return error instanceof Error ? owners.get(error) : undefined;
}

/** The API key that a request carries, from either of its two headers. */
export function keyFrom(header: (name: string) => string | null | undefined): string | undefined {
  const own = header("x-usageflow-api-key");
  if (own) return own;
  const bearer = /^Bearer +(\S+)$/i.exec(header("authorization") ?? "");
  return bearer?.[1];
}
