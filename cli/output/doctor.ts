import type { Finding } from "../../server/doctor/examine.ts";
import { printable } from "./text.ts";

// Of the violations of one invariant; --json has all that were noted.
const SHOWN_MAX = 10;

/** What the doctor found, for people: what is broken, what that means and what to do; then what was not looked at. */
export function findingsText(findings: readonly Finding[]): string {
  const broken = findings.filter(({ violations }) => violations.length > 0).map(brokenText);
  const left = findings.flatMap(({ invariant, unfinished }) =>
    unfinished.map((what) => printable(`Not looked through: ${invariant.name}: ${what}`)),
  );
  return [...broken, ...(left.length > 0 ? [left.join("\n")] : [])].join("\n\n");
}

function brokenText({ invariant, violations }: Finding): string {
  const { name, says, meaning, remedy } = invariant;
  const shown = violations.slice(0, SHOWN_MAX).map(({ place, what }) => `  ${printable(`${place}: ${what}`)}`);
  const more = violations.length - shown.length;
  return [
    `BROKEN ${name}: ${says}`,
    ...shown,
    ...(more > 0 ? [`  and ${more} more`] : []),
    `  What it means: ${meaning}`,
    `  What to do: ${remedy}`,
  ].join("\n");
}
