import type { FieldChange } from "../../gen/usageflow/v1/catalog_diff_pb.ts";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import { stateConflict } from "../rpc/errors.ts";
import { planChanges } from "./catalog-diff.ts";

const TOLD_MAX = 10;

/**
 * What publishing a plan would take back or overwrite of the changes that led from the version it was made from to the
 * latest. Changes that it has too are not lost. Without that version, any difference may be one.
 */
export function lostChanges(plan: Plan, latest: Plan, madeFrom: Plan | undefined): FieldChange[] {
  const changes = planChanges(latest, plan);
  if (!madeFrom) return changes;
  const since = planChanges(madeFrom, latest).map(({ path }) => placeOf(path));
  return changes.filter(({ path }) => since.some((other) => touch(placeOf(path), other)));
}

/** The refusal of a push that would lose something, which it names; and what to do. */
export function lossRefusal(field: string, plan: Plan, latest: Plan, lost: readonly FieldChange[]): Error {
  const there =
    plan.version < latest.version
      ? `was made from version ${plan.version} of "${plan.key}", and the latest is ${latest.version}`
      : `says version ${plan.version} of "${plan.key}", which there is not; the latest is ${latest.version}`;
  const told = lost
    .slice(0, TOLD_MAX)
    .map(({ path, oldValue, newValue }) => `${path} ${oldValue || "not given"} (here ${newValue || "not given"})`);
  if (lost.length > told.length) told.push(`and ${lost.length - told.length} more`);
  return stateConflict(
    `${there}. Publishing this would lose of the latest: ${told.join("; ")}. Take these over and say version ` +
      `${latest.version}, leave the version out, or force the push`,
    undefined,
    field,
  );
}

/** Where a change is, a list as a whole: places in it shift when it gets longer. */
function placeOf(path: string): string {
  return path.replace(/\[.*/, "");
}

function touch(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}
