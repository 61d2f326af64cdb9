import { type RawBuilder, sql } from "kysely";
import type { Db } from "../db/database.ts";
import { inTenant } from "../db/database.ts";
import { formatId, type IdPrefix } from "../id.ts";
import type { Secrets } from "../secrets.ts";

// What is true of the stored data at every moment, whatever died and whoever was first. Each statement that looks sees one
// moment, so that a server at work breaks nothing.

/** A truth about what is stored. */
export interface Invariant {
  /** As people name it, such as `invoice-total`. */
  name: string;
  /** What is true. */
  says: string;
  /** What it means when it is not. */
  meaning: string;
  /** What to do then. */
  remedy: string;
  /** Looked at once, for each tenant, or for each tenant and each organization. */
  of: "database" | "tenant" | "place";
  /** Looks at the next piece. */
  look: (patient: Patient, piece: Piece) => Promise<Look>;
}

/** What is looked at, and with what. */
export interface Patient {
  /** As the owner of the schema. */
  db: Db;
  /** The time, by the clock of processes. */
  now: Date;
  /** The master keys, where they are given. */
  secrets: Secrets | undefined;
  /** Ids from here on are of weeks of the log of which nothing was purged. */
  keptFrom: string;
}

/** Where to look: after a key, at so many rows. */
export interface Piece {
  /** Of the tenant or organization; of the database: empty. */
  place: string;
  after: readonly string[] | undefined;
  limit: number;
}

/** What a look saw. */
export interface Look {
  /** How many rows it looked at. */
  looked: number;
  /** What is wrong, in words. */
  found: string[];
  /** The last key of the piece; undefined: it was the last piece. */
  last: readonly string[] | undefined;
}

/** One question over a tenant's rows, in pieces. */
export interface Walk {
  /** The rows of a piece in the order of their keys, each with its `key` as text and its `place` in that order. */
  part: (piece: Piece, patient: Patient) => RawBuilder<unknown>;
  /** Of the rows of `part`, those that are wrong: one column of words. */
  found: (piece: Piece, patient: Patient) => RawBuilder<unknown>;
}

// What is wrong in one piece is told up to here: who sees twenty has seen enough.
const FOUND_MAX = 20;

/** Looks at the rows of a tenant piece by piece: each piece is one statement, in a transaction that can only read. */
export function walking({ part, found }: Walk): Invariant["look"] {
  return async (patient, piece) => {
    const rows = await inTenant(patient.db, piece.place, async (tx) => {
      await sql`set transaction read only`.execute(tx);
      return (await looking(part(piece, patient), found(piece, patient)).execute(tx)).rows;
    });
    return lookOf(rows, piece);
  };
}

/** Asks one question of the whole database. */
export function asking(found: (patient: Patient) => RawBuilder<unknown>): Invariant["look"] {
  return async (patient) => {
    const rows = await patient.db.transaction().execute(async (tx) => {
      await sql`set transaction read only`.execute(tx);
      return (await sql<{ what: string }>`select * from (${found(patient)}) as found (what)`.execute(tx)).rows;
    });
    return { looked: 1, found: rows.map(({ what }) => what), last: undefined };
  };
}

interface Seen {
  looked: number;
  last: string[] | null;
  found: string[] | null;
}

function looking(part: RawBuilder<unknown>, found: RawBuilder<unknown>) {
  return sql<Seen>`
    with part as materialized (${part})
    select (select count(*)::integer from part) as looked,
      (select key from part order by place desc limit 1) as last,
      (select array_agg(what) from (select * from (${found}) as wrong (what) limit ${FOUND_MAX}) as told) as found`;
}

function lookOf(rows: readonly Seen[], { limit }: Piece): Look {
  const { looked, last, found } = rows[0] as Seen;
  return { looked, found: (found ?? []).map(withIds), last: looked < limit || !last ? undefined : last };
}

/** Words with ids as people see them, where the database wrote `inv:` and the like before its own. */
function withIds(words: string): string {
  const id = /\b(inv|sub|crg|evt|whe|whd):([0-9a-f-]{36})/g;
  return words.replace(id, (_, prefix: IdPrefix, uuid: string) => formatId(prefix, uuid));
}

/** The rows of a tenant's table in the order of some of its columns, which together are a key of it. */
export function rowsOf(
  table: string,
  key: readonly string[],
  where: (patient: Patient) => RawBuilder<unknown> = () => sql`true`,
): Walk["part"] {
  const columns = sql.join(key.map((name) => sql.ref(`row.${name}`)));
  return ({ place, after, limit }, patient) => sql`
    select row.*, array[${sql.join(key.map((name) => sql`${sql.ref(`row.${name}`)}::text`))}] as key,
      row_number() over (order by ${columns}) as place
    from ${sql.table(table)} row
    where row.tenant_id = ${place} and ${where(patient)}
      ${after ? sql`and (${columns}) > (${sql.join(after)})` : sql``}
    order by ${columns} limit ${limit}`;
}

/** A tenant's one question, for what is small. */
export function ofTenant(found: (place: string, patient: Patient) => RawBuilder<unknown>): Invariant["look"] {
  return walking({
    part: () => sql`select array['']::text[] as key, 1 as place where false`,
    found: ({ place }, patient) => found(place, patient),
  });
}
