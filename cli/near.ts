import { distance } from "fastest-levenshtein";

/** Last words of commands that take something away: who mistypes another word is not led to them. */
const TAKES_AWAY = /(^|[ -])(cancel|delete|end|logout|pay|remove|reset|revoke|skip|stop|uncollectible|void)$/;

/** The nearest of those that there are to what somebody wrote, when it is near. */
export function near(said: string, known: readonly string[]): string | undefined {
  const far = Math.max(2, said.length / 4);
  const farOf = (one: string) => (TAKES_AWAY.test(one) ? 1 : far);
  const distances = known.map((one) => ({ one, away: distance(said, one) }));
  return distances.filter(({ one, away }) => away <= farOf(one)).sort((a, b) => a.away - b.away)[0]?.one;
}
