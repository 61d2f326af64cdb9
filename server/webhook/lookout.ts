import type { App } from "../app.ts";
import { inBatches } from "./in-batches.ts";

// How long a hint waits for others: a round costs about as much for one as for many.
const HINT_PAUSE_MS = 5;

/**
 * Looks into the database for all streams of a process at once: every `pollMs` while one waits, sooner when a hint comes,
 * and never twice at a time.
 */
export class Lookout<Question, Answer> {
  readonly #ask: (question: Question) => Promise<ReadonlyMap<Question, Answer>>;
  #hint = new AbortController();

  constructor(app: App, look: (questions: readonly Question[]) => Promise<ReadonlyMap<Question, Answer>>) {
    const pause = async () => {
      await app.clock.sleep(app.config.pollMs, this.#hint.signal);
      await app.clock.sleep(HINT_PAUSE_MS);
      this.#hint = new AbortController();
    };
    this.#ask = inBatches(look, pause);
  }

  /** What the next round finds; undefined when it finds nothing, or `ended` aborts before. */
  async next(question: Question, ended: AbortSignal): Promise<Answer | undefined> {
    const gone = Promise.withResolvers<undefined>();
    const leave = () => gone.resolve(undefined);
    if (ended.aborted) return undefined;
    ended.addEventListener("abort", leave, { once: true });
    try {
      const answers = await Promise.race([this.#ask(question), gone.promise]);
      return answers?.get(question);
    } finally {
      ended.removeEventListener("abort", leave);
    }
  }

  /** Something may have changed: the next round comes at once. */
  hint(): void {
    this.#hint.abort();
  }
}
