import { timingSafeEqual } from "node:crypto";
import type { BlockList } from "node:net";
import { ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import type { App } from "../app.ts";
import { contains, ranges } from "../cidr.ts";
import { NIL_ID } from "../id.ts";
import { KeyUses } from "../tenant/key-use.ts";
import { readSecret, type SecretKind } from "../tenant/secret-text.ts";
import type { Caller } from "./caller.ts";
import { forbidden, unauthenticated } from "./errors.ts";
import { lookUp } from "./look-up.ts";
import { callerAddress, machineOf, type Origin } from "./origin.ts";
import { Slots } from "./slots.ts";

// How long a key that was found good is taken without asking again: a revoked key works no longer than this anywhere.
const CACHE_MS = 1_000;
// One in use is asked for again before that time is over, beside its calls: none of them waits for it.
const RENEW_MS = CACHE_MS / 2;
// More keys than this in use within a second, and the cache begins anew.
const CACHE_KEYS_MAX = 10_000;

/** Finds out who is calling. */
export interface Authenticator {
  /**
   * The caller of an API key, an access token, an invite's code or the operator's key, or a refusal. `key` is undefined when
   * none was sent.
   */
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
  /** When a call has it asked for again. Process time. */
  renewAt: number;
}

/** An authenticator with a memory of one second. */
export function createAuthenticator(app: App): Authenticator {
  const cache = new Map<string, GoodKey>();
  const proxies = ranges(...app.config.trustedProxies);
  const uses = new KeyUses(app);
  const turns = lookUpTurns(app);
  const looks = new Map<string, Promise<GoodKey>>();
  const now = () => app.clock.now().getTime();
  const find = async (key: string, inTurn: InTurn): Promise<GoodKey> => {
    // Calls that come at once with a good key ask once. What is refused is refused to each by itself.
    const asking = looks.get(key);
    const shared = asking && (await asking.catch(() => undefined));
    if (shared && shared.until > now()) return shared;
    const look = findGood(app, uses, key, inTurn);
    looks.set(key, look);
    try {
      const found = await look;
      if (cache.size >= CACHE_KEYS_MAX) cache.clear();
      cache.set(key, found);
      return found;
    } finally {
      if (looks.get(key) === look) looks.delete(key);
    }
  };
  const renew = (key: string, known: GoodKey) => {
    known.renewAt = Number.POSITIVE_INFINITY; // once
    // Whatever the database has to say against it, the next call asks for itself and hears it.
    find(key, atOnce).catch((error) => error instanceof ConnectError && cache.delete(key));
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
          "no API key and no access token: send it as x-usageflow-api-key, or as authorization: Bearer",
        );
      }
      const known = cache.get(key);
      if (known && known.until > now()) {
        if (known.renewAt <= now()) renew(key, known);
        return admit(known, origin);
      }
      // One that was good before is nobody's invention.
      const inTurn: InTurn = known ? atOnce : (work) => turns.run(machineOf(addressOf(origin)), work);
      return find(key, inTurn).then((found) => admit(found, origin));
    },
    addressOf,
    async close() {
      await Promise.allSettled(looks.values());
      await uses.written();
    },
  };
}

/**
 * Turns at looking for a key. Anybody can make up keys of the right form, and each costs a connection for a moment: all of them
 * together leave half of the connections to who is known, and those of one address leave room to others.
 */
function lookUpTurns({ config }: App): Slots {
  return new Slots({
    places: Math.max(2, Math.floor(config.databaseConnectionsMax / 2)),
    waitingMax: config.callsWaitingMax,
    waitMaxMs: config.waitMaxMs,
  });
}

/** Does work when it is its turn. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

const atOnce: InTurn = (work) => work();

async function findGood(app: App, uses: KeyUses, key: string, inTurn: InTurn): Promise<GoodKey> {
  const named = readSecret(key);
  if (!named) {
    if (isOperatorKey(app, key)) return { caller: OPERATOR, allowed: undefined, until: 0, renewAt: 0 };
    throw unauthenticated(ErrorReason.KEY_MALFORMED, "this is no API key: its form or checksum is wrong");
  }
  if (app.config.emulator && named.kind === "LIVE") {
    throw forbidden("this is an emulator: it takes test keys (uf_test_...) only", ErrorReason.LIVE_KEY_REFUSED);
  }
  const hashes = app.secrets.hashesOf(key);
  const { found, asked } = await inTurn(async () => {
    const asked = app.clock.now(); // before the look: a key that is revoked after it is known no longer than a second
    return { asked, found: await lookUp(app, named, hashes) };
  });
  const noun = NOUNS[named.kind];
  const unknown = () => unauthenticated(ErrorReason.KEY_UNKNOWN, `this ${noun} is not known, or was revoked`);
  if (!found) throw unknown();
  const { caller, revokedAt, expiresAt, deleteAfter, allowedCidrs, use } = found;
  if (revokedAt) throw ownedBy(caller, unknown());
  if (deleteAfter && deleteAfter <= asked) {
    const message = `the organization of this ${noun} was deleted at ${deleteAfter.toISOString()}`;
    throw unauthenticated(ErrorReason.ORGANIZATION_DELETED, message);
  }
  if (expiresAt && expiresAt <= asked) {
    const message = `this ${noun} expired at ${expiresAt.toISOString()}`;
    throw ownedBy(caller, unauthenticated(ErrorReason.KEY_EXPIRED, message));
  }
  if (use) uses.note({ ...use, place: named.place, at: asked, newest: hashes[0] });
  return {
    caller,
    allowed: allowedCidrs.length > 0 ? ranges(...allowedCidrs) : undefined,
    renewAt: asked.getTime() + RENEW_MS,
    until: Math.min(asked.getTime() + CACHE_MS, ...[expiresAt, deleteAfter].flatMap((end) => end?.getTime() ?? [])),
  };
}

const NOUNS: Record<SecretKind, string> = {
  LIVE: "API key",
  TEST: "API key",
  TOKEN: "access token",
  INVITE: "code of an invite",
};

const OPERATOR: Caller = {
  ...{ tenantId: NIL_ID, kind: "LIVE", keyId: NIL_ID, role: Role.OWNER },
  credential: { kind: "OPERATOR_KEY" },
};

/** In a time that tells nothing of the key. */
function isOperatorKey(app: App, key: string): boolean {
  const { operatorKey } = app.config;
  const sent = Buffer.from(key, "base64");
  return operatorKey !== undefined && sent.length === operatorKey.length && timingSafeEqual(sent, operatorKey);
}

// Beside the errors: those go out to callers, and this is for the audit log alone.
const owners = new WeakMap<Error, Caller>();

function ownedBy(caller: Caller, error: ConnectError): ConnectError {
  owners.set(error, caller);
  return error;
}

/** Whose key was refused, where that is known: it was revoked, has expired, or may not be used from where the call came. */
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
