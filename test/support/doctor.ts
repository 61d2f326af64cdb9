import { type Examination, examine, invariants } from "../../server/doctor/examine.ts";
import type { Harness } from "./harness.ts";

/** What the doctor finds in the database of a harness, in words; and what it did not finish. */
export async function doctorOf(
  { app, database, clock }: Harness,
  examination: Partial<Examination> = {},
): Promise<string[]> {
  const findings = await examine(database.ownerUrl, {
    clock,
    secrets: app.secrets,
    only: [],
    tenantId: undefined,
    timeMs: 600_000,
    statementMs: 30_000,
    stop: new AbortController().signal,
    ...examination,
  });
  return findings.flatMap(({ invariant, violations, unfinished }) => [
    ...violations.map(({ what }) => `${invariant.name}: ${what}`),
    ...unfinished.map((what) => `${invariant.name}: not finished: ${what}`),
  ]);
}

/** All but what prices every invoice again, for databases with hundreds of them. */
export const WITHOUT_RERATING = {
  only: invariants.map(({ name }) => name).filter((name) => name !== "invoice-rerated"),
};
