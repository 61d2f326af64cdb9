import pg from "pg";

// A mutant of the server: statements of calls as they would be if the code had forgotten to name the tenant. What is left
// is row-level security, which the database does by itself.

/** A predicate of the form `tenant_id = $1`, however the column is written. */
const PREDICATE = /(?:"?[a-z_]+"?\.)?"?\btenant_id"? = (\$[0-9]+)(?:::uuid)?(?![0-9])/g;

/** What became of statements. */
export interface Mutation {
  /** How many lost a predicate, by the domain whose code sent them: `webhook`. */
  readonly lost: Map<string, number>;
  /** Has statements name their tenants again. */
  undo(): void;
}

/**
 * From now on, takes tenant predicates out of the statements that this process sends as the application's role (workers do
 * see the work of all tenants, and name theirs). `domain`: only those that come from its folder of the server.
 */
export function loseTenantPredicates(domain?: string): Mutation {
  const lost = new Map<string, number>();
  const { query } = pg.Client.prototype;
  Error.stackTraceLimit = 100; // what called, however deep
  pg.Client.prototype.query = function lossy(this: pg.Client, first: unknown, ...rest: unknown[]) {
    const text = typeof first === "string" ? first : undefined;
    const mutated =
      this.user?.startsWith("usageflow_app") && text?.match(PREDICATE)
        ? text.replace(PREDICATE, "($1::uuid is not null)")
        : text;
    if (mutated === text) return Reflect.apply(query, this, [first, ...rest]);
    const from = domainOfCaller();
    if (domain && from !== domain) return Reflect.apply(query, this, [first, ...rest]);
    lost.set(from, (lost.get(from) ?? 0) + 1);
    return Reflect.apply(query, this, [mutated, ...rest]);
  } as typeof query;
  return {
    lost,
    undo() {
      pg.Client.prototype.query = query;
    },
  };
}

/** The folder of the server whose code sends a statement; those that serve all domains are asked last. */
function domainOfCaller(): string {
  const folders = [...(new Error().stack ?? "").matchAll(/\/server\/([a-z]+)\//g)].map(([, folder]) => folder ?? "");
  return folders.find((folder) => !/^(db|rpc)$/.test(folder)) ?? folders.find((folder) => folder !== "db") ?? "unknown";
}
