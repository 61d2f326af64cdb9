import { sql } from "kysely";
import type { Clock } from "../clock.ts";
import type { Db } from "../db/database.ts";
import { openAsOwner } from "../db/login.ts";
import { checkSchema } from "../db/migrate.ts";
import { formatId, NIL_ID } from "../id.ts";
import { errorFacts } from "../log.ts";
import type { Secrets } from "../secrets.ts";
import { auditHashInvariant, auditInvariants } from "./audit-invariants.ts";
import { creditInvariants } from "./credit-invariants.ts";
import { deliveryInvariants } from "./delivery-invariants.ts";
import { dueInvariants } from "./due-invariants.ts";
import type { Invariant, Patient } from "./invariant.ts";
import { invoiceInvariants, reratingInvariants } from "./invoice-invariants.ts";
import { outboxInvariants } from "./outbox-invariants.ts";
import { schemaInvariants } from "./schema-invariants.ts";
import { recountInvariants, usageInvariants } from "./usage-invariants.ts";

/** All invariants, the cheap ones first: when the time is up, what is left out is what costs most. */
export const invariants: readonly Invariant[] = [
  ...schemaInvariants,
  ...dueInvariants,
  ...usageInvariants,
  ...invoiceInvariants,
  ...creditInvariants,
  ...outboxInvariants,
  ...deliveryInvariants,
  ...auditInvariants,
  auditHashInvariant,
  ...recountInvariants,
  ...reratingInvariants,
];

/** What was found of one invariant. */
export interface Finding {
  invariant: Invariant;
  /** Rows that were looked at. */
  looked: number;
  /** What is wrong, and whose it is. */
  violations: { place: string; what: string }[];
  /** What was not looked at, in words. Empty: it was looked through. */
  unfinished: string[];
}

export interface Examination {
  clock: Clock;
  /** For the hashes of the audit log. Undefined: `audit-unchanged` is left out. */
  secrets: Secrets | undefined;
  /** Names of invariants. Empty: all. */
  only: readonly string[];
  /** One tenant's. Undefined: all. */
  tenantId: string | undefined;
  /** How long all of it may take. */
  timeMs: number;
  /** How long one statement may take. */
  statementMs: number;
  /** Ends it after the statement under way. */
  stop: AbortSignal;
  /** Hears what is looked at. */
  onLook?: (invariant: Invariant, looked: number) => void;
}

const PIECE = 1_000;
const PIECE_MIN = 10;
// What is told of one invariant.
const VIOLATIONS_MAX = 100;

/**
 * Looks for what must not be, on a live system: as the schema's owner, with one connection and in transactions that can only
 * read; in pieces, after each of which it rests as long as that took. A piece that takes too long is halved.
 */
export async function examine(ownerUrl: string, examination: Examination): Promise<Finding[]> {
  const { only, statementMs, clock, secrets } = examination;
  const db = await openAsOwner(ownerUrl, statementMs);
  try {
    await checkSchema(db);
    const patient: Patient = { db, now: clock.now(), secrets, keptFrom: await keptFrom(db) };
    const places = await readPlaces(db, patient.now);
    const until = clock.now().getTime() + examination.timeMs;
    const findings: Finding[] = [];
    for (const invariant of invariants) {
      if (only.length > 0 && !only.includes(invariant.name)) continue;
      if (invariant === auditHashInvariant && !secrets) continue;
      const wanted = places.filter(({ of }) => of.includes(invariant.of)).filter(isWanted(examination.tenantId));
      findings.push(await examineOne(invariant, patient, wanted, { ...examination, until }));
    }
    return findings;
  } finally {
    await db.destroy();
  }
}

type Bounds = Examination & { until: number };

async function examineOne(
  invariant: Invariant,
  patient: Patient,
  places: readonly Place[],
  bounds: Bounds,
): Promise<Finding> {
  const finding: Finding = { invariant, looked: 0, violations: [], unfinished: [] };
  for (const [index, place] of places.entries()) {
    if (await examinePlace(finding, patient, place, bounds)) continue;
    const left = places.length - index - 1;
    if (left > 0) finding.unfinished.push(`${left} more of ${places.length} tenants and organizations`);
    break;
  }
  return finding;
}

/** Looks at the pieces of a place one by one. Answers false when the time is up. */
async function examinePlace(finding: Finding, patient: Patient, place: Place, bounds: Bounds): Promise<boolean> {
  const { invariant, violations } = finding;
  let after: readonly string[] | undefined;
  for (let limit = PIECE; ; ) {
    const began = bounds.clock.now().getTime();
    if (bounds.stop.aborted || began >= bounds.until) {
      finding.unfinished.push(nameOf(place, after));
      return false;
    }
    try {
      const { looked, found, last } = await invariant.look(patient, { place: place.id, after, limit });
      finding.looked += looked;
      violations.push(
        ...found.map((what) => ({ place: place.name, what })).slice(0, VIOLATIONS_MAX - violations.length),
      );
      bounds.onLook?.(invariant, finding.looked);
      if (!last) return true;
      after = last;
    } catch (error) {
      const { code, error: words } = errorFacts(error);
      if (code !== QUERY_CANCELED) {
        if (!isOfStatement(code)) throw error;
        finding.unfinished.push(`${nameOf(place, after)}: ${words}`);
        return true; // others may be looked at
      }
      if (limit <= PIECE_MIN) {
        finding.unfinished.push(`${nameOf(place, after)}: one statement takes longer than ${bounds.statementMs} ms`);
        return true; // of this one; others may be smaller
      }
      limit = Math.max(PIECE_MIN, Math.floor(limit / 4));
    }
    await bounds.clock.sleep(bounds.clock.now().getTime() - began, bounds.stop);
  }
}

const QUERY_CANCELED = "57014";

/** Whether an error is of one statement, such as a lock that was waited for too long, and not of the connection. */
function isOfStatement(code: string | undefined): boolean {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57|28|3D)/.test(code);
}

function nameOf({ name }: Place, after: readonly string[] | undefined): string {
  return after ? `${name} after ${after.join(", ")}` : name;
}

interface Place {
  /** Empty: the database. */
  id: string;
  name: string;
  /** The invariants that are looked at here. */
  of: readonly Invariant["of"][];
}

const DATABASE: Place = { id: "", name: "the database", of: ["database"] };

/**
 * The database, all tenants, and all organizations: they have an audit log of their own. Not the tenants of an organization whose
 * deletion has begun: half of what they had is gone, as it should be.
 */
async function readPlaces(db: Db, now: Date): Promise<Place[]> {
  const tenants = await db
    .selectFrom("tenant")
    .innerJoin("organization", "organization.id", "tenant.organization_id")
    .select("tenant_id as id")
    .where((where) => where.or([where("delete_after", "is", null), where("delete_after", ">", now)]))
    .orderBy("tenant_id")
    .execute();
  const organizations = await db.selectFrom("organization").select("id").orderBy("id").execute();
  return [
    DATABASE,
    ...tenants.map(({ id }): Place => ({ id, name: formatId("ten", id), of: ["tenant", "place"] })),
    ...organizations.map(({ id }): Place => ({ id, name: formatId("org", id), of: ["place"] })),
  ];
}

function isWanted(tenantId: string | undefined): (place: Place) => boolean {
  return (place) => tenantId === undefined || place === DATABASE || place.id === tenantId;
}

/** The first id of the log from which on nothing was dropped, nor purged a little at a time. */
async function keptFrom(db: Db): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select coalesce(
      max(substring(bounds from 'TO [(]''([0-9a-f-]{36})''[)]$')) filter (where opened),
      min(coalesce(substring(bounds from 'FROM [(]''([0-9a-f-]{36})''[)]'), ${NIL_ID}))
    ) as id
    from (
      select pg_get_expr(c.relpartbound, c.oid) as bounds, has_table_privilege('usageflow_worker', c.oid, 'DELETE') as opened
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'outbox_event'::regclass
    ) as part where bounds <> 'DEFAULT'`.execute(db);
  return rows[0]?.id ?? NIL_ID;
}
