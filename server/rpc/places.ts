// One may hold three times what is left free: three quarters when it is alone, less the more there are. So there is always a
// place for who comes new.
const HELD_TO_FREE = 3;

/** So many places that are shared by who comes. */
export class Places {
  #free: number;
  readonly #held = new Map<string, number>();

  constructor(all: number) {
    this.#free = all;
  }

  /** How many nobody holds. */
  get free(): number {
    return this.#free;
  }

  /** Whether `who` may hold one more. */
  hasRoom(who: string): boolean {
    return (this.#held.get(who) ?? 0) < HELD_TO_FREE * this.#free;
  }

  /** Takes one for `who`. */
  hold(who: string): void {
    this.#change(who, 1);
  }

  /** Takes one back. */
  giveBack(who: string): void {
    this.#change(who, -1);
  }

  #change(who: string, more: 1 | -1): void {
    this.#free -= more;
    const held = (this.#held.get(who) ?? 0) + more;
    if (held > 0) this.#held.set(who, held);
    else this.#held.delete(who);
  }
}
