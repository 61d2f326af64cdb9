import pg from "pg";

// A mutant of the server: statements of calls as they would be if the code had forgotten to name the tenant, or the
// organization. What is left is row-level security, which the database does by itself. It is the statements that this process
// sends: those within functions of the database are out of its reach, and stay as they are.

/** A predicate of the form `tenant_id = $1`, however the column is written. */
const PREDICATE = /(?:"?[a-z_]+"?\.)?"?\b(?:tenant|organization)_id"? = (\$[0-9]+)(?:::uuid)?(?![0-9])/g;

/** Other forms, which stay. */
const OTHER_FORM = /(?:tenant|organization)_id"?\)? *(?:=|<>|in|is not distinct from) *(?:any *)?[("'a-z[]*\$/;

const UNKNOWN = "unknown";

/** What became of statements. */
export interface Mutation {
  /** Those that lost a predicate, by the domain whose code sent them: `webhook`. */
  readonly lost: Map<string, Set<string>>;
  /** Those that name a tenant in another way, so that it stays: there is to be none. */
  readonly kept: Set<string>;
  /** Has statements name their tenants again. */
  undo(): void;
}

/**
 * From now on, takes tenant predicates out of the statements that this process sends as the application's role (workers do
 * see the work of all tenants, and name theirs). `domain`: only those that come from its folder of the server, and those of
 * which it cannot be told where they come from.
 */
export function loseTenantPredicates(domain?: string): Mutation {
  const lost = new Map<string, Set<string>>();
  const kept = new Set<string>();
  const { query } = pg.Client.prototype;
  Error.stackTraceLimit = 100; // what called, however deep
  pg.Client.prototype.query = function lossy(this: pg.Client, first: unknown, ...rest: unknown[]) {
    const asItIs = () => Reflect.apply(query, this, [first, ...rest]);
    if (!this.user?.startsWith("usageflow_app")) return asItIs();
    const isText = typeof first === "string";
    const text = isText ? first : ((first as { text?: string }).text ?? "");
    const mutated = text.replace(PREDICATE, "($1::uuid is not null)");
    if (OTHER_FORM.test(mutated) || (mutated !== text && !isText)) kept.add(text);
    if (mutated === text || !isText) return asItIs();
    const from = domainOfCaller();
    if (domain && from !== domain && from !== UNKNOWN) return asItIs();
    lost.set(from, (lost.get(from) ?? new Set()).add(text));
    return Reflect.apply(query, this, [mutated, ...rest]);
  } as typeof query;
  return {
    lost,
    kept,
    undo() {
      pg.Client.prototype.query = query;
    },
  };
}

/** The folder of the server whose code sends a statement; those that serve all domains are asked last. */
function domainOfCaller(): string {
  const folders = [...(new Error().stack ?? "").matchAll(/\/server\/([a-z]+)\//g)].map(([, folder]) => folder ?? "");
  return folders.find((folder) => !/^(db|rpc)$/.test(folder)) ?? folders.find((folder) => folder !== "db") ?? UNKNOWN;
}
