/** A request of a tenant, with as many rows as it has. */
export interface Queued {
  readonly tenantId: string;
  readonly rows: readonly unknown[];
}

// Rows that a tenant may take more in a round. Small requests come along at once; a large one saves up for some rounds.
const ROUND_ROWS = 200;

interface Line<R> {
  requests: R[];
  /** The first that waits; those before it are done. */
  head: number;
  rows: number;
  /** What the tenant has saved up. */
  credit: number;
}

/**
 * Requests that wait for a commit: tenants take turns, in rows, so that one event does not wait behind the thousand batches
 * of another tenant. (Deficit round robin.)
 */
export class FairQueue<R extends Queued> {
  readonly #lines = new Map<string, Line<R>>();
  #rows = 0;

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows of one tenant that wait. */
  rowsOf(tenantId: string): number {
    return this.#lines.get(tenantId)?.rows ?? 0;
  }

  add(request: R): void {
    let line = this.#lines.get(request.tenantId);
    if (!line) {
      line = { requests: [], head: 0, rows: 0, credit: 0 };
      this.#lines.set(request.tenantId, line);
    }
    line.requests.push(request);
    line.rows += request.rows.length;
    this.#rows += request.rows.length;
  }

  /** The next requests, with `rowsMax` rows or a few more. */
  take(rowsMax: number): R[] {
    const taken: R[] = [];
    let rows = 0;
    // What is alone has no turns to take.
    const roundRows = this.#lines.size === 1 ? rowsMax : ROUND_ROWS;
    for (const [tenantId, line] of this.#lines) {
      line.credit += roundRows;
      while (line.head < line.requests.length && rows < rowsMax) {
        const request = line.requests[line.head] as R;
        const count = request.rows.length;
        if (count > line.credit) break;
        line.head += 1;
        line.credit -= count;
        line.rows -= count;
        this.#rows -= count;
        rows += count;
        taken.push(request);
      }
      this.#lines.delete(tenantId);
      // To the end, where this goes on with it while there is room: a Map is walked with what is added to it.
      if (line.head < line.requests.length) this.#lines.set(tenantId, compact(line));
      if (rows >= rowsMax) break;
    }
    return taken;
  }
}

function compact<R>(line: Line<R>): Line<R> {
  if (line.head < 1_000 || line.head * 2 < line.requests.length) return line;
  line.requests = line.requests.slice(line.head);
  line.head = 0;
  return line;
}
