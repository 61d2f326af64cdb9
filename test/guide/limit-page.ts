import { limitSettings } from "../../server/limits.ts";

const HEAD = `# Limits

What a server takes, and what it does with more. This page is written by \`npm run gen:docs\`. All limits are of one process: N
processes take N times as much.

## Too much, and when to come again

More than a limit is answered, not suffered: \`resource_exhausted\`, over HTTP 429, with the reason \`RATE_LIMITED\` (you send
more than you may) or \`OVERLOADED\` (the server has too much to do). Nothing of a refused call is done. The header
\`retry-after\` says in seconds when to come again, a \`google.rpc.RetryInfo\` among the details says it exactly, and so does
\`retryDelay\` in the JSON of \`POST /api/track\`. The command and the client of the package wait by themselves while that is
short, and tell it where it is long.

- **Rates.** Each API key (or member) and each tenant has a rate of calls and, apart from it, one of usage events: a batch
  counts as many as it has, and is taken whole or not at all. After a pause some seconds' worth may come at once. A batch that
  is larger than what is left is taken while anything is left, and those after it wait until it is made up for.
- **Turns.** Calls that work on the database share \`USAGEFLOW_DATABASE_CONNECTIONS_MAX\` less two places. One tenant holds
  three quarters of them at most, and less the more tenants there are; who waits gets its place in turn, tenant by tenant.
- **Usage** waits for a commit in a queue of its own, in which tenants take turns by rows: one event does not wait behind
  another tenant's thousand batches.
- **Late.** A process that is late at what it has to do shares out what it can do in equal parts among the tenants that call,
  and refuses what is more than such a part.

## Time

A call has the time that its client gives it (\`grpc-timeout\`, \`connect-timeout-ms\`), and \`USAGEFLOW_REQUEST_TIMEOUT_MS\` at
most, which is also what it has when the client gives none. Its statements get what is left of it as their
\`statement_timeout\`; after it, or when the client has gone, none is begun, and what was begun is rolled back. Usage that waited
longer is not stored, and the answer says so. Streams go on until somebody ends them.

## Sizes

\`USAGEFLOW_REQUEST_BYTES_MAX\` is the largest body, unpacked; 1,000 events the largest batch. Every other list and text has its
limit in the contract.

## Each limit

`;

const TAIL = `
An HTTP/2 connection that opens calls and breaks them off by the thousand (1,000 at once, 33 a second), sends headers without
end, or holds 10 MB of memory is ended.

The emulator has no rates and is never late: one developer is on it.
`;

/** The page of limits, from what the server reads. */
export function limitPage(): string {
  const rows = Object.values(limitSettings).map(
    ({ variable, says, fallback }) => `| \`${variable}\` | ${says} | \`${fallback}\` |`,
  );
  return `${HEAD}| variable | what it is | default |\n|---|---|---|\n${rows.join("\n")}\n${TAIL}`;
}
